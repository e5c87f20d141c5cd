"""By what right somebody speaks for a patient, and from when on the patient must, or may, speak.

Both stand in the details: opened at the patient's hospital alone, since the day a mandate ends by age tells a birthday.
Days of a life begin at a local midnight, so they travel as instants with their zone. What several speakers' documents
say together is for `consent.voices`.
"""

from __future__ import annotations

from calendar import isleap
from typing import Annotated, Literal

from msgspec import Meta

from consent import canonical, periods
from consent.encoding import Hex32
from consent.errors import GrantRefused

Office = Literal["guardian", "representative"]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,63}\Z", description="letters, digits, . -")]
Years = Annotated[int, Meta(ge=0, le=30)]
LeapDay = Literal["02-28", "03-01"]

SPANS = frozenset({0, 6, 12, 24, 60})  # months that everybody is offered: such an end says nothing about a life


class Ages(canonical.Document, frozen=True):
    """A hospital's rules of age. `assent`: the age (years) from which a child's own yes is needed besides a guardian's.

    `majority`: from which the patient alone speaks. `leap_day`: when somebody born on 29 February reaches an age in a
    year without one. `zone`: whose midnight counts (IANA). `source`: the law or policy that says so.
    """

    name: Name
    assent: Years
    majority: Years
    leap_day: LeapDay
    zone: str
    source: Annotated[str, Meta(min_length=1, max_length=400)]


class Age(canonical.Document, frozen=True, kw_only=True, cache_hash=True):
    """From when on a patient must agree too, and from when on they speak alone; raises `mandate.ages`, `periods.*`.

    `policy`: the name of the rules of age; `evidence`: SHA-256 of the document that was seen.
    """

    assents_from: periods.Instant
    of_age_from: periods.Instant
    policy: Name
    evidence: Hex32

    def __post_init__(self) -> None:
        if periods.instant(self.assents_from) > periods.instant(self.of_age_from):
            raise GrantRefused("mandate.ages", "the age of assent comes before the age of majority, or with it")


class Mandate(canonical.Document, frozen=True, kw_only=True, cache_hash=True):
    """A right to speak for a patient, from `starts` up to, not including, `ends`.

    `presets`: what may be agreed to (none named: all that is offered). `evidence`: SHA-256 of the document that was
    seen. Raises `mandate.reversed`, `periods.*`.
    """

    office: Office
    starts: periods.Instant
    ends: periods.Instant
    presets: Annotated[tuple[Name, ...], Meta(max_length=32)] = ()
    evidence: Hex32

    def __post_init__(self) -> None:
        if periods.instant(self.starts) >= periods.instant(self.ends):
            raise GrantRefused("mandate.reversed", "a mandate ends after it starts")

    def holds(self, when: int) -> bool:
        return periods.instant(self.starts) <= when < periods.instant(self.ends)

    def allows(self, preset: str) -> bool:
        return not self.presets or preset in self.presets


def reaches(born: str, years: int, leap_day: LeapDay) -> str:
    """The first day on which somebody born on the day `born` is `years` old; raises ConsentError `periods.malformed`.

    >>> reaches("2008-02-29", 18, "03-01"), reaches("2008-02-29", 16, "03-01"), reaches("2008-07-01", 18, "03-01")
    ('2026-03-01', '2024-02-29', '2026-07-01')
    """
    periods.next_day(born, 0)
    year = int(born[:4]) + years
    day = leap_day if born[5:] == "02-29" and not isleap(year) else born[5:]
    return f"{year:04}-{day}"


def check(preset: str, months: tuple[str, str], starts: str, age: Age | None, mandate: Mandate | None) -> None:
    """Return quietly if a statement of `preset` over `months` (first, last) that starts on a day may be signed so.

    Raises GrantRefused `mandate.age-missing`, `mandate.scope`, `mandate.ended`, `mandate.of-age`, `mandate.tells-age`.
    """
    begin = periods.days(starts, starts)
    if mandate is not None:
        if mandate.office == "guardian" and age is None:
            raise GrantRefused("mandate.age-missing", "a guardian's consent says when the child comes of age: add it")
        if not mandate.allows(preset):
            raise GrantRefused("mandate.scope", "this mandate does not reach so far: choose what it names")
        if periods.instant(mandate.ends) <= begin.start:
            raise GrantRefused("mandate.ended", "this mandate has ended by then: the hospital needs a new one")
        if mandate.office == "guardian" and age is not None and periods.instant(age.of_age_from) <= begin.start:
            raise GrantRefused("mandate.of-age", "the patient is of age by then: ask the patient")
    ends = [] if mandate is None else [mandate.ends]
    ends += [] if age is None else [age.assents_from, age.of_age_from]
    if _span(*months) not in SPANS and any(_near(months[1], end) for end in ends):
        message = "this last month would tell an age or a mandate's end: choose one of the spans that all are offered"
        raise GrantRefused("mandate.tells-age", message)


def silenced(age: Age | None, mandate: Mandate | None, preset: str, recorded_at: int | None, when: int) -> str | None:
    """The rule by which the signer of a document recorded at `recorded_at` may not say it alone at `when`, if any."""
    given = when if recorded_at is None else recorded_at
    of_age = None if age is None else periods.instant(age.of_age_from)
    if mandate is None:
        if of_age is None or given >= of_age:
            return None
        return "age.child-alone" if when < of_age else "age.ask-again"
    if mandate.office == "guardian" and (of_age is None or when >= of_age):
        return "age.ask-again"
    if not (mandate.holds(given) and mandate.holds(when)):
        return "mandate.not-held"
    if not mandate.allows(preset):
        return "mandate.scope"
    asked = mandate.office == "guardian" and age is not None and periods.instant(age.assents_from) <= when
    return "age.not-asked" if asked else None


def _span(first: str, last: str) -> int:
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:]) - int(first[5:])


def _near(month: str, moment: str) -> bool:
    """Whether `month` is that of the moment, or one beside it: it may fall into the next one in UTC."""
    return abs(_span(month, moment[:7])) <= 1
