"""What a patient adds to a preset to narrow it: further conditions, and uses that are denied whatever else is allowed.

>>> Limits(denied=(Denial(diseases=("MONDO:0004992",)),)).denied[0].touches(("MONDO:0008903",))
True
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

from consent import canonical, diseases, periods
from consent.terms import Condition

Some = Meta(max_length=32)


class Denial(canonical.Document, frozen=True, kw_only=True, cache_hash=True):
    """A no. `diseases`: for which research (none: for all). `starts`, `ends`: on which days it holds (None: always).
    `data_from`, `data_until`: which records it is about, by their own date (None: all). A no outlives the dates of the
    document that it stands in; it ends with the document's withdrawal.
    Raises ConsentError `periods.malformed`, `periods.reversed`.
    """

    diseases: Annotated[tuple[str, ...], Some] = ()
    starts: periods.Day | None = None
    ends: periods.Day | None = None
    data_from: periods.Day | None = None
    data_until: periods.Day | None = None

    def __post_init__(self) -> None:
        for first, last in ((self.starts, self.ends), (self.data_from, self.data_until)):
            periods.days(first or last or periods.FIRST, last or first or periods.FIRST)

    def touches(self, wanted: Sequence[str]) -> bool:
        """Whether research on the diseases `wanted` could be research that this denies; none named is any of them."""
        if not self.diseases or not wanted:
            return True
        return any(_related(one, other) for one in self.diseases for other in wanted)

    def holds(self, today: str) -> bool:
        """Whether it holds on the day `today`."""
        return (self.starts is None or self.starts <= today) and (self.ends is None or today <= self.ends)


class Limits(canonical.Document, frozen=True, kw_only=True, cache_hash=True):
    """The conditions bind like those of a data set's terms, besides the preset's own; so do the denials, each alone."""

    conditions: Annotated[tuple[Condition, ...], Some] = ()
    denied: Annotated[tuple[Denial, ...], Some] = ()


NO_LIMITS = Limits()


@lru_cache(maxsize=65_536)
def shared(limits: Limits) -> Limits:
    """One and the same object for equal limits."""
    return limits


def _related(one: str, other: str) -> bool:
    """Whether one disease is a kind of the other; one that we do not know may be."""
    known = one in diseases.DISEASES and other in diseases.DISEASES
    return not known or diseases.covers(one, other) or diseases.covers(other, one)
