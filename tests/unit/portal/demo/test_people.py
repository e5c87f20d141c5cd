"""Made-up decisions: the same from the same seed, in the announced shares."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from portal.demo.people import WITHDRAWN_BEFORE, month, wishes
from portal.patients.texts import FIRST, publication

TODAY = date(2026, 11, 22)
PATIENTS = [f"row-{number}" for number in range(2000)]


def test_the_same_seed_decides_the_same_and_another_hospital_or_seed_does_not():
    first = wishes(PATIENTS, "cleveland", 42, TODAY)
    assert first == wishes(PATIENTS, "cleveland", 42, TODAY)
    assert first != wishes(PATIENTS, "hungary", 42, TODAY)
    assert first != wishes(PATIENTS, "cleveland", 43, TODAY)


def test_everybody_decides_once_and_about_15_percent_do_not_permit():
    decided = wishes(PATIENTS, "cleveland", 42, TODAY)
    assert [one.patient for one in decided] == PATIENTS
    shares = Counter(
        "none" if one.preset is None else "other" if one.preset == "cancer" else "expired"
        for one in decided
        if one.preset in (None, "cancer") or one.valid_until < month(TODAY, 0)
    )
    assert set(shares) == {"none", "other", "expired"}
    assert all(60 <= count <= 140 for count in shares.values()), shares
    assert {one.preset for one in decided} - {None} <= set(publication(FIRST)["presets"])


def test_those_who_withdraw_had_given_a_consent_that_still_counted():
    gone = [one for one in wishes(PATIENTS, "cleveland", 42, TODAY) if one.withdraws]
    assert len(gone) == WITHDRAWN_BEFORE
    assert all(one.preset != "cancer" and one.valid_until >= month(TODAY, 0) for one in gone)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_patients_are_enough(count):
    assert len(wishes(PATIENTS[:count], "cleveland", 42, TODAY)) == count


@pytest.mark.parametrize(
    ("ahead", "expected"), [(0, "2026-11"), (1, "2026-12"), (2, "2027-01"), (-11, "2025-12"), (-36, "2023-11")]
)
def test_months_run_over_years(ahead, expected):
    assert month(TODAY, ahead) == expected
