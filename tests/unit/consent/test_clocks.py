"""One patient's documents together: windows, reaching back, and a no that always wins, to the day."""

from __future__ import annotations

from typing import Any

import pytest

from consent import duo
from consent.clocks import Usable, usable
from consent.decide import ConsentView, decide
from consent.errors import ConsentError
from consent.limits import Denial, Limits
from tests.unit.consent.examples import CANCER, HEART, IN_2026, Patient, study

PATIENT, STUDY = Patient(), study(duo.DS, [HEART])


def document(denied: tuple[Denial, ...] = (), **changed: Any) -> ConsentView:
    return PATIENT.view(details=PATIENT.details(**({"limits": Limits(denied=denied)} | changed)))


def left(*views: ConsentView) -> Usable:
    return usable([(view, decide(view, STUDY, IN_2026)) for view in views], STUDY, IN_2026)  # 2026-05-28


@pytest.mark.parametrize(
    ("denial", "spans"),
    [
        (Denial(data_from="2024-02-29"), (("1900-01-01", "2024-02-28"),)),
        (Denial(data_until="2024-02-29"), (("2024-03-01", "2026-05-28"),)),
        (
            Denial(data_from="2024-02-29", data_until="2024-02-29"),
            (("1900-01-01", "2024-02-28"), ("2024-03-01", "2026-05-28")),
        ),
        (Denial(diseases=(CANCER,), data_from="2024-02-29"), (("1900-01-01", "2026-05-28"),)),
        (Denial(data_from="2024-02-29", ends="2026-05-27"), (("1900-01-01", "2026-05-28"),)),
    ],
    ids=str,
)
@pytest.mark.parametrize("standing", ["active", "unknown"])
def test_a_no_in_any_document_takes_away_from_all(denial: Denial, spans: Any, standing: str) -> None:
    other = PATIENT.view(status=standing, preset="cancer", details=document((denial,)).details)
    assert left(document(), other).spans == spans
    withdrawn = PATIENT.view(status="withdrawn", details=other.details)
    assert left(document(), withdrawn).spans == (("1900-01-01", "2026-05-28"),)


def test_a_no_in_one_document_closes_records_without_a_date_and_says_so() -> None:
    refused = left(document(), document((Denial(data_until="2019-12-31"),)))
    assert refused.decide(None).rule == "record.denied"
    assert left(document()).decide(None).rule == "record.no-window"


def test_without_reaching_back_only_records_since_the_first_day_count() -> None:
    narrow = left(document(retrospective=False))  # it starts on 2026-01-15
    answers = [narrow.decide(day).rule for day in ("2026-01-14", "2026-01-15", "2026-05-28", "2026-05-29")]
    assert answers == ["record.outside-window", "record.in-window", "record.in-window", "record.outside-window"]
    assert narrow.decide(None).rule == "record.undated"


@pytest.mark.parametrize(
    ("made", "permits"),
    [
        ("2024-02-28", False),
        ("2024-02-29", True),
        ("2023-02-29", False),
        ("2024-02-28T23:30:00-05:00", True),  # 29 February in UTC
        ("2024-03-01T00:30:00+01:00", True),
        ("2024-03-01T00:30:00Z", False),
        ("2024-02-29T12:00:00", False),  # nobody's time
        ("29.2.2024", False),
        ("", False),
    ],
)
def test_a_window_of_one_leap_day_is_exact(made: str, permits: bool) -> None:
    window = left(document(data_from="2024-02-29", data_until="2024-02-29"))
    assert window.decide(made).permits == permits


def test_a_window_that_ends_on_no_day_of_the_calendar_is_empty() -> None:
    assert left(document(data_until="2024-02-30")).spans == ()
    assert left(document(data_from="2024-02-30")).spans == ()


def test_two_grants_add_up_and_a_document_that_nobody_can_open_closes_everything() -> None:
    first, second = (document(data_from=f"{year}-01-01", data_until=f"{year}-12-31") for year in (2019, 2021))
    assert left(first, second).spans == (("2019-01-01", "2019-12-31"), ("2021-01-01", "2021-12-31"))
    assert left(first, second, PATIENT.view(details=None)).spans == ()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"data_from": "2024-02-30"}, "periods.malformed"),
        ({"starts": "2024-03-01", "ends": "2024-02-29"}, "periods.reversed"),
    ],
)
def test_a_denial_with_odd_dates_is_refused(fields: dict[str, str], code: str) -> None:
    with pytest.raises(ConsentError) as refusal:
        Denial(**fields)
    assert refusal.value.code == code
