"""Periods start at the first instant of what they name and end at the first instant after it, UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import periods
from consent.errors import ConsentError
from consent.periods import Period

instants = st.integers(
    int(datetime(1900, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2199, 1, 1, tzinfo=UTC).timestamp())
)
spans = st.tuples(instants, instants).map(lambda pair: Period(min(pair), max(pair)))


def holds(period: Period, when: int) -> bool:
    return period.start <= when < period.end


def instant(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp())


@given(instants)
def test_an_instant_lies_in_its_own_month_and_day(when: int) -> None:
    month, day = periods.month_of(when), periods.day_of(when)
    assert holds(periods.months(month, month), when)
    assert holds(periods.days(day, day), when)
    assert datetime.fromtimestamp(when, UTC).isoformat().startswith(day)


@given(instants, st.integers(-100, 100))
def test_months_shift_there_and_back(when: int, by: int) -> None:
    month = periods.month_of(when)
    assert periods.shift_months(periods.shift_months(month, by), -by) == month


@given(spans, spans, instants)
def test_what_is_covered_holds_nothing_beyond(one: Period, other: Period, when: int) -> None:
    assert one.covers(one)
    assert not one.covers(other) or not holds(other, when) or holds(one, when)


def test_a_month_ends_where_the_next_one_begins() -> None:
    period = periods.months("2024-02", "2024-02")
    assert period.end - period.start == 29 * 86_400
    assert (period.start, period.end) == (instant(2024, 2), instant(2024, 3))


@pytest.mark.parametrize(
    "month",
    [
        "2026-13",
        "2026-00",
        "2026-1",
        "26-01",
        "2026-01-01",
        "",
        "2026-01\n",
        "２０２６-01",
        "abcdefg",
        "202601",
        "2026W01",
    ],
)
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(ConsentError) as refusal:
        periods.months(month, "2026-12")
    assert refusal.value.code == "periods.malformed"


@pytest.mark.parametrize(
    "day", ["2026-02-29", "2026-02-1", "20260201", "2026-W01-1", "", "2026-02-01T00:00", "２０２６-02-01"]
)
def test_what_is_no_day_is_refused(day: str) -> None:
    assert not periods.is_day(day)
    with pytest.raises(ConsentError) as refusal:
        periods.days(day, "2026-12-31")
    assert refusal.value.code == "periods.malformed"


@pytest.mark.parametrize(
    "read", [lambda: periods.months("2026-03", "2026-02"), lambda: periods.days("2026-03-02", "2026-03-01")]
)
def test_a_period_that_ends_before_it_starts_is_refused(read: object) -> None:
    with pytest.raises(ConsentError) as refusal:
        read()  # type: ignore[operator]
    assert refusal.value.code == "periods.reversed"


def test_long_past_begins_when_the_whole_months_are_over() -> None:
    end_of_january_2027 = periods.month_start("2027-02")
    assert not periods.long_past("2026-01", end_of_january_2027 - 1, months_ago=12)
    assert periods.long_past("2026-01", end_of_january_2027, months_ago=12)
