"""Edges of the rules that only the laws walked on: each is one case here, so that a slip of one sign is named."""

from __future__ import annotations

from typing import Any

import pytest

from consent import duo
from consent.clocks import Usable, usable
from consent.conditions import Moment
from consent.decide import Use, decide_dataset, judge_terms
from consent.decision import Decision
from consent.limits import Denial, Limits
from consent.terms import Condition, DatasetTerms, Terms, both
from tests.unit.consent.examples import HEART, IN_2026, Patient, study

TODAY = "2026-05-28"  # of IN_2026
YES = Decision("permit", "permission.disease")


def left(view: dict[str, Any] | None = None, **details: Any) -> Usable:
    """What one permitting document leaves today; it reaches back, unless `details` say otherwise."""
    said = Patient().details(**({"retrospective": True} | details))
    return usable([(Patient().view(details=said, **(view or {})), YES)], study(duo.DS, [HEART]), IN_2026)


def test_no_restriction_opens_clinical_care_too() -> None:
    assert judge_terms(Terms((duo.NRES,)), study(duo.GRU, care=True), Moment("2027-01-01", None)).permits


@pytest.mark.parametrize("use", [Use("2026-13-01", "2026-12-31"), Use("2026-06-01", "soon")])
def test_how_long_a_use_lasts_is_unknown_where_either_day_is_odd(use: Use) -> None:
    year = DatasetTerms(duo=(duo.HMB, duo.TS), conditions=(Condition(term=duo.TS, values=("12",)),))
    answer = decide_dataset(year, study(duo.HMB), use)
    assert (answer.verdict, answer.rule) == ("abstain", "modifier.needs-person")


def test_a_document_that_its_hospital_took_back_leaves_nothing_before_the_ledger_says_so() -> None:
    assert left().spans and not left({"withdrawn_at": IN_2026 - 1}).spans


def test_a_window_into_the_future_ends_today() -> None:
    assert [last for _, last in left(data_until="2030-01-01").spans] == [TODAY]


def test_a_no_to_later_records_lengthens_no_window() -> None:
    later = Limits(denied=(Denial(data_from="2025-01-01"),))
    window = left(data_until="2021-12-31", limits=later)
    assert window.decide("2021-12-31").permits and not window.decide("2023-01-01").permits


@pytest.mark.parametrize("window", [{"data_from": "2020-01-01"}, {"data_until": "2021-12-31"}])
def test_an_undated_record_is_outside_every_window(window: dict[str, str]) -> None:
    assert left().decide(None).permits and not left(**window).decide(None).permits


def test_two_windows_that_share_one_day_leave_that_day() -> None:
    first, second = (
        Usable((span,), undated=False, denied=False)
        for span in (("2020-01-01", "2020-06-01"), ("2020-06-01", "2020-12-31"))
    )
    assert first.meet(second).spans == (("2020-06-01", "2020-06-01"),)


@pytest.mark.parametrize(
    ("code", "some", "others", "together"),
    [
        (duo.MOR, ("2027-01-01",), ("2028-01-01",), ("2028-01-01",)),
        (duo.TS, ("9",), ("12",), ("9",)),
        (duo.GS, ("DE", "FR"), ("FR", "US"), ("FR",)),
        (duo.RS, ("adults",), ("no twins",), ("adults", "no twins")),
    ],
)
def test_of_two_values_the_stricter_stands(
    code: str, some: tuple[str, ...], others: tuple[str, ...], together: tuple[str, ...]
) -> None:
    assert both(code, some, others) == both(code, others, some) == together
