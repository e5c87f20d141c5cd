"""The three clocks against a brute-force oracle that walks the calendar day by day, in its own arithmetic."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consent import duo, periods
from consent.clocks import usable
from consent.decide import ConsentView, decide
from consent.limits import Denial, Limits
from consent.purpose import Purpose
from ledger.contracts.access import Entitlement, is_live
from tests.unit.consent.examples import CANCER, CORONARY, HEART, Patient, study

MANY = settings(max_examples=3_000 if os.environ.get("COVENANT_SOAK") == "1" else 100, print_blob=True)
START, DAYS = date(2023, 12, 1), 460  # across the leap day of 2024 and into 2025
PURPOSES = [study(duo.DS, [HEART]), study(duo.DS, [CORONARY]), study(duo.HMB)]
offsets = st.integers(0, DAYS - 1)
days = offsets.map(lambda offset: START + timedelta(days=offset))
maybe_days = st.none() | days


def text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


@st.composite
def denials(draw: st.DrawFn) -> Denial:
    holds, about = (sorted_pair(draw(maybe_days), draw(maybe_days)) for _ in range(2))
    diseases = draw(st.sampled_from([(), (HEART,), (CORONARY,), (CANCER,)]))
    return Denial(
        diseases=diseases,
        starts=text(holds[0]),
        ends=text(holds[1]),
        data_from=text(about[0]),
        data_until=text(about[1]),
    )


def sorted_pair(one: date | None, other: date | None) -> tuple[date | None, date | None]:
    return (min(one, other), max(one, other)) if one is not None and other is not None else (one, other)


@st.composite
def documents(draw: st.DrawFn) -> ConsentView:
    starts, ends = sorted(draw(st.tuples(days, days)))
    details = Patient().details(
        starts=starts.isoformat(),
        ends=ends.isoformat(),
        data_from=text(draw(maybe_days)),
        data_until=draw(maybe_days.map(text) | st.just("2024-02-30")),
        retrospective=draw(st.booleans()),
        limits=Limits(denied=tuple(draw(st.lists(denials(), max_size=2)))),
    )
    return ConsentView(
        status=draw(st.sampled_from(["active"] * 6 + ["withdrawn", "unknown"])),
        preset=draw(st.sampled_from(["heart-disease", "health-research"])),
        valid_from=f"{starts:%Y-%m}",
        valid_until=f"{ends:%Y-%m}",
        recorded_at=0,
        withdrawn_at=None,
        details=details,
    )


def oracle(views: list[ConsentView], purpose: Purpose, today: date) -> set[date]:
    """The days whose records may be used, found one by one, by the words of the format alone."""
    found = set()
    for offset in range(DAYS):
        day = START + timedelta(days=offset)
        granted = any(grants(view, purpose, today, day) for view in views)
        if day <= today and granted and not any(denies(view, purpose, today, day) for view in views):
            found.add(day)
    return found


def grants(view: ConsentView, purpose: Purpose, today: date, day: date) -> bool:
    details: Any = view.details
    whole = [one for one in details.limits.denied if one.data_from is None and one.data_until is None]
    if view.status != "active" or not details.starts <= today.isoformat() <= details.ends:
        return False
    if view.preset == "heart-disease" and purpose.duo == duo.HMB:
        return False
    if details.data_until == "2024-02-30" or any(about(one, purpose, today) for one in whole):
        return False
    after = details.data_from is None or date.fromisoformat(details.data_from) <= day
    before = details.data_until is None or day <= date.fromisoformat(details.data_until)
    return after and before and (details.retrospective or date.fromisoformat(details.starts) <= day)


def denies(view: ConsentView, purpose: Purpose, today: date, day: date) -> bool:
    details: Any = view.details
    return view.status != "withdrawn" and any(
        about(one, purpose, today)
        and (one.data_from is None or date.fromisoformat(one.data_from) <= day)
        and (one.data_until is None or day <= date.fromisoformat(one.data_until))
        for one in details.limits.denied
    )


def about(one: Denial, purpose: Purpose, today: date) -> bool:
    if (one.starts or "0000") > today.isoformat() or (one.ends or "9999") < today.isoformat():
        return False
    return CANCER not in one.diseases or not purpose.diseases  # heart and coronary disease touch each other


def found_by_code(views: list[ConsentView], purpose: Purpose, when: int) -> Any:
    return usable([(view, decide(view, purpose, when)) for view in views], purpose, when)


@MANY
@given(st.lists(documents(), max_size=4), st.sampled_from(PURPOSES), days, st.integers(0, 86_399))
def test_the_clocks_agree_with_the_calendar(
    views: list[ConsentView], purpose: Purpose, today: date, second: int
) -> None:
    when = int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp()) + second
    left = found_by_code(views, purpose, when)
    expected = oracle(views, purpose, today)
    calendar = [START + timedelta(days=offset) for offset in range(DAYS)]
    assert {day for day in calendar if left.decide(day.isoformat()).permits} == expected
    assert all(first <= last for first, last in left.spans)
    assert all(before[1] < after[0] for before, after in zip(left.spans, left.spans[1:], strict=False))
    assert not left.decide((today + timedelta(days=1)).isoformat()).permits


@MANY
@given(st.lists(documents(), max_size=4), st.sampled_from(PURPOSES), days, st.text(max_size=12) | st.none())
def test_an_undated_record_counts_only_where_no_date_could_matter(
    views: list[ConsentView], purpose: Purpose, today: date, made: str | None
) -> None:
    when = int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp())
    left = found_by_code(views, purpose, when)
    if made is not None and periods.day_of_record(made) is not None:
        return
    if left.decide(made).permits:
        calendar = [START + timedelta(days=offset) for offset in range(DAYS)]
        assert all(left.decide(day.isoformat()).permits for day in calendar if day <= today)


@MANY
@given(st.lists(documents(), max_size=3), documents(), st.sampled_from(PURPOSES), days)
def test_one_more_document_that_permits_nothing_never_adds_a_day(
    views: list[ConsentView], other: ConsentView, purpose: Purpose, today: date
) -> None:
    when = int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp())
    if not decide(other, purpose, when).permits:
        before, after = (found_by_code(some, purpose, when) for some in (views, [*views, other]))
        calendar = [(START + timedelta(days=offset)).isoformat() for offset in range(DAYS)]
        assert not [day for day in calendar if after.decide(day).permits and not before.decide(day).permits]


@MANY
@given(days, st.integers(0, 86_399), st.integers(-12 * 60, 14 * 60))
def test_a_records_time_counts_on_its_day_in_utc(day: date, second: int, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    moment = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(seconds=second)
    assert periods.day_of_record(moment.isoformat()) == moment.astimezone(UTC).date().isoformat()
    assert periods.day_of_record(moment.replace(tzinfo=None).isoformat()) is None


@MANY
@given(days, st.integers(1, 120))
def test_months_later_is_the_same_day_or_the_months_last(day: date, months: int) -> None:
    """By walking: the last day not after the same day number in the month that lies `months` further."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    walked = max(
        one
        for one in (date(year, month + 1, 1) + timedelta(days=n) for n in range(31))
        if one.month == month + 1 and one.day <= day.day
    )
    assert periods.shift_day(day.isoformat(), months) == walked.isoformat()


@MANY
@given(days, days, st.integers(0, 86_399))
def test_an_entitlement_ends_with_its_last_day(until: date, today: date, second: int) -> None:
    entitlement = Entitlement(
        request="",
        dataset="",
        version=1,
        hospital="",
        purpose=PURPOSES[0],
        requester="",
        until=until.isoformat(),
        reason="",
        decided=0,
        status="live",
    )
    now = int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp()) + second
    assert is_live(entitlement, now) == (today <= until)
