"""Calendar periods as half-open spans of epoch seconds, UTC: from the first instant named to the first no longer named.

>>> months("2026-01", "2026-03").end == days("2026-01-01", "2026-03-31").end
True
>>> days("2026-01-01", "2026-01-01")
Period(start=1767225600, end=1767312000)
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

from consent.errors import ConsentError

Month = Annotated[str, Meta(pattern=r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])\Z", description="a month, YYYY-MM")]
Day = Annotated[str, Meta(pattern=r"^(19|20|21)[0-9]{2}-[01][0-9]-[0-3][0-9]\Z", description="a day, YYYY-MM-DD")]

Instant = Annotated[
    str,
    Meta(
        pattern=r"^(19|20|21)[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9][+-][01][0-9]:[0-5][0-9]\Z",
        description="an instant with its zone, YYYY-MM-DDTHH:MM:SS+HH:MM",
    ),
]

FIRST = "1900-01-01"  # no day is earlier


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` up to, not including, `end` (epoch seconds, UTC)."""

    start: int
    end: int

    def covers(self, other: Period) -> bool:
        return self.start <= other.start and other.end <= self.end


def months(first: str, last: str) -> Period:
    """All of the months `first` to `last` ("YYYY-MM", both included).

    Raises ConsentError `periods.malformed`, and `periods.reversed` where `last` is before `first`.
    """
    return _span(month_start(first), month_start(shift_months(last, 1)), first, last)


def days(first: str, last: str) -> Period:
    """All of the days `first` to `last` ("YYYY-MM-DD", both included); raises as `months` does."""
    return _span(_midnight(first), _midnight(last) + 86_400, first, last)


@lru_cache(maxsize=4096)
def shift_months(month: str, by: int) -> str:
    """The month `by` months after `month` (before, where `by` is negative); raises ConsentError `periods.malformed`."""
    month_start(month)
    year, index = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 + by, 12)
    return f"{year:04}-{index + 1:02}"


def shift_day(day: str, months: int) -> str:
    """The same day `months` months later, or that month's last day where it has no such day (Regulation (EEC, Euratom)
    No 1182/71, Article 3(2)(c)); raises ConsentError `periods.malformed`.

    >>> shift_day("2024-02-29", 12), shift_day("2026-01-31", 1)
    ('2025-02-28', '2026-02-28')
    """
    _midnight(day)
    year, month = map(int, shift_months(day[:7], months).split("-"))
    return f"{year:04}-{month:02}-{min(int(day[8:]), monthrange(year, month)[1]):02}"


def next_day(day: str, by: int) -> str:
    """The day `by` days after `day` (before, where `by` is negative); raises ConsentError `periods.malformed`."""
    return day_of(_midnight(day) + by * 86_400)


def day_of_record(made: str) -> str | None:
    """The day (UTC) of a record's own date: a day, or an instant with its time zone; None for anything else.

    A time without a zone is nobody's time, so it is no date.

    >>> day_of_record("2024-02-28T23:30:00-05:00"), day_of_record("2024-02-28T23:30:00")
    ('2024-02-29', None)
    """
    if is_day(made):
        return made
    try:
        moment = datetime.fromisoformat(made)
        return None if moment.tzinfo is None else moment.astimezone(UTC).date().isoformat()
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=65_536)
def instant(text: str) -> int:
    """The epoch seconds of an instant written with its zone.

    Raises ConsentError `periods.no-zone` for a time without one, `periods.malformed` for anything else.

    >>> instant("2026-03-01T00:00:00+01:00"), instant("2026-02-28T18:00:00-05:00")
    (1772319600, 1772319600)
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is None:
        raise ConsentError("periods.no-zone", "write a time with its zone, like 2026-03-01T00:00:00+01:00")
    if moment is None or moment.isoformat() != text:
        raise ConsentError("periods.malformed", "write an instant as YYYY-MM-DDTHH:MM:SS+HH:MM")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def month_of(when: int) -> str:
    """The month in which `when` (epoch seconds, UTC) lies, as "YYYY-MM"."""
    return f"{_moment(when):%Y-%m}"


@lru_cache(maxsize=4096)
def day_of(when: int) -> str:
    """The day in which `when` (epoch seconds, UTC) lies, as "YYYY-MM-DD"."""
    return f"{_moment(when):%Y-%m-%d}"


def long_past(until: str, now: int, *, months_ago: int) -> bool:
    """Whether a period that ended with the month `until` had ended more than `months_ago` whole months before `now`."""
    return now >= month_start(shift_months(until, months_ago + 1))


def is_day(day: str) -> bool:
    """Whether `day` is a day of the calendar, written YYYY-MM-DD."""
    try:
        _midnight(day)
    except ConsentError:
        return False
    return True


def is_month(month: str) -> bool:
    """Whether `month` is a month, written YYYY-MM."""
    return len(month) == len("YYYY-MM") and is_day(f"{month}-01")


@lru_cache(maxsize=4096)
def month_start(month: str) -> int:
    """The first instant of `month`, epoch seconds UTC; raises ConsentError `periods.malformed`."""
    if len(month) != len("YYYY-MM"):
        raise ConsentError("periods.malformed", "write a month as YYYY-MM, like 2026-03")
    return _midnight(f"{month}-01")


@lru_cache(maxsize=65_536)
def _midnight(day: str) -> int:
    try:
        moment = date.fromisoformat(day)
    except ValueError:
        moment = None
    if moment is None or moment.isoformat() != day:
        raise ConsentError("periods.malformed", "write a day as YYYY-MM-DD, like 2026-03-31")
    return (moment - date(1970, 1, 1)).days * 86_400


def _moment(when: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=when)


def _span(start: int, end: int, first: str, last: str) -> Period:
    if end <= start:
        raise ConsentError("periods.reversed", f"the period ends ({last}) before it starts ({first})")
    return Period(start, end)
