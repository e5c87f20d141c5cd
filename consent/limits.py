"""What a patient adds to a preset to narrow it: further conditions, and uses that are denied whatever else is allowed.

>>> Limits(denied=(Denial(diseases=("MONDO:0004992",)),)).denied[0].touches(("MONDO:0008903",))
True
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

from consent import canonical, diseases, duo, periods
from consent.errors import ConsentError
from consent.occasion import Category, Occasion
from consent.purpose import Purpose
from consent.terms import Condition

Some = Meta(max_length=32)
StudyId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", description="a study's UUID")]


class Denial(canonical.Document, frozen=True, kw_only=True, cache_hash=True):
    """A no. `diseases`, `studies`: for which research (none: for all; both: for either). `starts`, `ends`: on which
    days it holds (None: always).
    `data_from`, `data_until`: which records it is about, by their own date (None: all). A no outlives the dates of the
    document that it stands in; it ends with the document's withdrawal.
    Raises ConsentError `periods.malformed`, `periods.reversed`.
    """

    diseases: Annotated[tuple[str, ...], Some] = ()
    starts: periods.Day | None = None
    ends: periods.Day | None = None
    data_from: periods.Day | None = None
    data_until: periods.Day | None = None
    studies: Annotated[tuple[StudyId, ...], Some] = ()

    def __post_init__(self) -> None:
        for first, last in ((self.starts, self.ends), (self.data_from, self.data_until)):
            periods.days(first or last or periods.FIRST, last or first or periods.FIRST)

    def touches(self, wanted: Sequence[str], study: str = "") -> bool:
        """Whether research on the diseases `wanted`, in `study`, could be research that this denies; where none is
        named, it is any of them."""
        if self.studies and (not study or study in self.studies):
            return True
        if not self.diseases:
            return not self.studies
        return not wanted or any(_related(one, other) for one in self.diseases for other in wanted)

    def holds(self, today: str) -> bool:
        """Whether it holds on the day `today`."""
        return (self.starts is None or self.starts <= today) and (self.ends is None or today <= self.ends)


class Limits(canonical.Document, frozen=True, kw_only=True, cache_hash=True):
    """The conditions bind like those of a data set's terms, besides the preset's own; so do the denials, each alone.

    `categories`: the only kinds of data that may be used (none: all kinds), sorted. `studies`: the only studies, sorted
    (None: every study that fits; an empty list: none until the patient adds one).
    Raises ConsentError `limits.order`.
    """

    conditions: Annotated[tuple[Condition, ...], Some] = ()
    denied: Annotated[tuple[Denial, ...], Some] = ()
    categories: Annotated[tuple[Category, ...], Some] = ()
    studies: Annotated[tuple[StudyId, ...], Some] | None = None

    def __post_init__(self) -> None:
        for listed in (self.categories, self.studies or ()):
            if tuple(listed) != tuple(sorted(set(listed))):
                raise ConsentError("limits.order", "list kinds of data and studies once each, in order")

    def broken(self, occasion: Occasion) -> str | None:
        """The rule that `occasion` breaks, if any: a study or a kind of data that is not on the patient's list."""
        if self.studies is not None and occasion.study not in self.studies:
            return "consent.other-study"
        if self.categories and not (occasion.categories and set(occasion.categories) <= set(self.categories)):
            return "consent.other-data"
        return None

    def within(self, wider: Limits) -> bool:
        """Whether these let in nothing that `wider` keeps out, as far as can be told from the lists alone."""
        added = {one.term for one in self.conditions} - {one.term for one in wider.conditions}
        return (
            set(wider.conditions) <= set(self.conditions)
            and duo.CC not in added  # the one condition that lets more in
            and set(wider.denied) <= set(self.denied)
            and (not wider.categories or (bool(self.categories) and set(self.categories) <= set(wider.categories)))
            and (wider.studies is None or (self.studies is not None and set(self.studies) <= set(wider.studies)))
        )

    def denies(self, purpose: Purpose, occasion: Occasion, today: str) -> bool:
        """Whether a no to all records holds; one to some records is for `consent.clocks`, which knows their dates."""
        whole = (one for one in self.denied if one.data_from is None and one.data_until is None)
        return any(one.holds(today) and one.touches(purpose.diseases, occasion.study) for one in whole)


NO_LIMITS = Limits()


@lru_cache(maxsize=65_536)
def shared(limits: Limits) -> Limits:
    """One and the same object for equal limits."""
    return limits


def _related(one: str, other: str) -> bool:
    """Whether one disease is a kind of the other; one that we do not know may be."""
    known = one in diseases.DISEASES and other in diseases.DISEASES
    return not known or diseases.covers(one, other) or diseases.covers(other, one)
