"""What a researcher wants to do: one DUO permission as the kind of research, the diseases, and how it is done.

>>> purpose = Purpose.of(duo.DS, ["MONDO:0005010", "MONDO:0005267"], commercial=False, for_profit=False)
>>> purpose.diseases, purpose.commercial, Purpose.of(duo.HMB).commercial
(('MONDO:0005267',), False, None)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

from msgspec import Meta

from consent import canonical, diseases, duo, local_terms, periods, terms
from consent.countries import COUNTRIES
from consent.encoding import Hex32
from consent.errors import ConsentError

TO_ACCEPT: Final = frozenset({duo.PUB, duo.COL, duo.RTN, local_terms.NOREID, local_terms.NORELINK})

Names = Annotated[tuple[str, ...], Meta(max_length=64)]


class Ethics(canonical.Document, frozen=True, kw_only=True):
    """An ethics committee's approval: SHA-256 of its document, and its last day; raises ConsentError `purpose.day`."""

    document: Hex32
    until: periods.Day

    def __post_init__(self) -> None:
        check_day(self.until)


class Asking(canonical.Document, frozen=True, kw_only=True):
    """Who asks, from where, under which papers. What is empty is not said, and meets no condition.

    `institution`, `project`, `users`: names as a data set's terms write them. `countries`: where the asking
    organisation works, its own among them, two-letter codes; the members' word is added (`consent.seats`). `accepts`:
    the obligations promised. `publishes_from`: the first day on which results may be published. Lists are sorted, each
    entry once.
    Raises ConsentError `purpose.name`, `purpose.country`, `purpose.accepts`, `purpose.day`, `purpose.order`.
    """

    institution: str = ""
    users: Names = ()
    project: str = ""
    countries: Names = ()
    ethics: Ethics | None = None
    accepts: Names = ()
    publishes_from: periods.Day | None = None

    def __post_init__(self) -> None:
        for name in (*filter(None, (self.institution, self.project)), *self.users):
            if not terms.is_name(name):
                raise ConsentError("purpose.name", f"{name[:80]!r} names nobody: write an id without spaces", name=name)
        for country in self.countries:
            if country not in COUNTRIES:
                raise ConsentError("purpose.country", f"{country[:80]!r} is no country: write two letters, like DE")
        for code in self.accepts:
            if code not in TO_ACCEPT:
                raise ConsentError("purpose.accepts", f"{code[:80]!r} is no obligation that can be accepted", term=code)
        if self.publishes_from is not None:
            check_day(self.publishes_from)
        for listed in (self.users, self.countries, self.accepts):
            if listed != tuple(sorted(set(listed))):
                raise ConsentError("purpose.order", "list users, countries and obligations once each, in order")


class Purpose(canonical.Document, frozen=True, kw_only=True):
    """A stated purpose, always in its one normal form, so that one purpose has one digest.

    `duo`: a permission code as the kind of research (DS, HMB, GRU or POA). `diseases`: for DS the Mondo codes, sorted,
    none of them covering another; else none. `commercial`, `for_profit`: silence (None) counts as yes where it matters.
    The rest says what the research is: what is not said is no, but for training AI, which every study here does.
    Raises ConsentError `purpose.kind`, `purpose.diseases`; `Purpose.of` brings diseases into the normal form.
    """

    duo: str
    diseases: tuple[str, ...] = ()
    commercial: bool | None = None  # for gain, by whomever
    for_profit: bool | None = None  # asked for by an organisation that works for profit
    methods: bool = False  # to develop general methods, beyond the diseases named
    ancestry: bool = False  # touches population origins or ancestry
    genetic: bool = False  # a genetic study
    care: bool = False  # for clinical care, beyond research
    ai_training: bool = True
    asking: Asking | None = None

    def __post_init__(self) -> None:
        if self.duo not in {duo.DS, duo.HMB, duo.GRU, duo.POA}:
            raise ConsentError("purpose.kind", "a purpose is disease specific, health, general or ancestry research")
        if (self.duo == duo.DS) != bool(self.diseases):
            raise ConsentError("purpose.diseases", "name diseases for disease specific research, and for no other")
        if self.diseases != _normal(self.diseases):
            raise ConsentError("purpose.diseases", "list each disease once, in order, and none that another covers")

    @classmethod
    def of(cls, kind: str, wanted: Iterable[str] = (), **how: Any) -> Purpose:
        """The purpose of `kind` on the diseases `wanted`, in any order; raises as the class does."""
        return cls(duo=kind, diseases=_normal(wanted), **how)

    def digest(self) -> str:
        """64 hex characters that name this purpose on the ledger (tag `covenant.purpose.v1`)."""
        return canonical.digest("covenant.purpose.v1", canonical.encode(self)).hex()


def check_day(day: str) -> None:
    """Raises ConsentError `purpose.day`."""
    if not periods.is_day(day):
        raise ConsentError("purpose.day", f"{day} is not in the calendar: write a day as YYYY-MM-DD")


def _normal(wanted: Iterable[str]) -> tuple[str, ...]:
    """`wanted`, each once, sorted, without those that another one covers; raises ConsentError `diseases.unknown`."""
    unique = {diseases.disease(code).code for code in wanted}
    return tuple(sorted(one for one in unique if not any(diseases.covers(other, one) for other in unique - {one})))
