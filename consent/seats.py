"""Where an organisation sits and what kind it is: a purpose is judged over what the members hold, not its asker's word.

>>> ours, theirs = Seat("US", "public"), Seat("DE", "non-profit")
>>> asked = Purpose(duo="DUO:0000042", for_profit=True, asking=Asking(countries=("FR", "US")))
>>> judged = seated(asked, asker=ours, worker=theirs)
>>> judged.asking.countries, judged.for_profit, seated(Purpose(duo="DUO:0000042"), asker=ours, worker=theirs).for_profit
(('DE', 'FR', 'US'), True, False)
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from consent.purpose import Asking, Purpose

Sector = Literal["commercial", "non-profit", "public"]


class Seat(NamedTuple):
    """What the members hold of one organisation. `country`: two letters. None: nobody has said."""

    country: str | None
    sector: Sector | None

    @property
    def for_profit(self) -> bool | None:
        return None if self.sector is None else self.sector == "commercial"


NOWHERE: Final = Seat(None, None)


def seated(purpose: Purpose, *, asker: Seat, worker: Seat) -> Purpose:
    """`purpose` as it is judged for one data set: `asker` asks, and `worker`, the data's hospital, computes.

    The asker's word adds countries and can make it an asker for profit. It takes nothing away, and it stands for
    nothing that the members do not hold: where either country is unknown, none is said; an unknown kind is silence.
    """
    asking = purpose.asking or Asking()
    known = [seat.country for seat in (asker, worker) if seat.country is not None]
    countries = tuple(sorted({*known, *asking.countries})) if len(known) == 2 else ()
    for_profit = True if purpose.for_profit else asker.for_profit
    return replace(purpose, asking=replace(asking, countries=countries), for_profit=for_profit)


def other_country(purpose: Purpose, asker: Seat) -> bool:
    """Whether the countries that `purpose` names leave out the one that the members hold for who asks."""
    named = () if purpose.asking is None else purpose.asking.countries
    return bool(named) and asker.country is not None and asker.country not in named


def other_sector(purpose: Purpose, asker: Seat) -> bool:
    """Whether `purpose` says that its asker works for profit, or does not, and the members hold the contrary."""
    said, held = purpose.for_profit, asker.for_profit
    return said is not None and held is not None and said != held
