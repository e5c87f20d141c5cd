"""May this be used for that, now? Each rule answers under its own id; whatever is unknown is denied."""

from __future__ import annotations

import re
from typing import Any

import pytest

from consent import duo, local_terms
from consent.conditions import Moment
from consent.decide import Use, decide, decide_all, decide_dataset, judge_terms
from consent.decision import Decision
from consent.limits import Denial, Limits
from consent.purpose import Purpose
from consent.reasons import REASONS
from consent.terms import Condition, DatasetTerms, Terms
from tests.unit.consent.examples import CANCER, CORONARY, HEART, IN_2026, Patient, study

HEART_STUDY = study(duo.DS, [HEART])
HEALTH_STUDY, GENERAL_STUDY, ANCESTRY_STUDY = study(duo.HMB), study(duo.GRU), study(duo.POA)
PATIENT = Patient()
USE = Use("2026-05-28", "2027-05-27")
MOMENT = Moment("2027-05-27", None)


def test_a_valid_grant_for_this_disease_permits() -> None:
    assert decide(PATIENT.view(), HEART_STUDY, IN_2026) == Decision("permit", "permission.disease")
    assert decide(PATIENT.view(), study(duo.DS, [CORONARY]), IN_2026).permits


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"status": "unknown"}, "consent.unknown"),
        ({"status": ""}, "consent.unknown"),
        ({"status": "ACTIVE"}, "consent.unknown"),
        ({"status": "withdrawn"}, "consent.withdrawn"),
        ({"status": "tombstone"}, "consent.withdrawn"),
        ({"withdrawn_at": IN_2026 - 1}, "consent.withdrawn"),
        ({"withdrawn_at": IN_2026 + 1}, "consent.withdrawn"),
        ({"recorded_at": None}, "consent.not-yet-recorded"),
        ({"recorded_at": IN_2026 + 1}, "consent.not-yet-recorded"),
        ({"preset": "everything"}, "consent.unknown-choice"),
        ({"preset": ""}, "consent.unknown-choice"),
        ({"details": None}, "consent.not-opened"),
        ({"valid_from": "2026-06"}, "consent.not-yet"),
        ({"valid_until": "2026-04"}, "consent.expired"),
        ({"valid_from": "2026-07", "valid_until": "2026-01"}, "consent.not-yet"),
        ({"valid_until": "9999"}, "consent.unclear-dates"),
        ({"details": PATIENT.details(starts="2026-05-29")}, "consent.not-yet"),
        ({"details": PATIENT.details(ends="2026-05-27")}, "consent.expired"),
        ({"details": PATIENT.details(starts="2026-05-31", ends="2026-05-01")}, "consent.not-yet"),
        ({"details": PATIENT.details(starts="0")}, "consent.unclear-dates"),
        ({"details": PATIENT.details(ends="2027-03")}, "consent.unclear-dates"),
        ({"valid_until": "2027-03-31"}, "consent.unclear-dates"),
        ({"details": PATIENT.details(ends="2026-06-31")}, "consent.unclear-dates"),
        ({"details": PATIENT.details(diseases=(CORONARY,))}, "consent.finer-choice"),
        ({"details": PATIENT.details(diseases=("MONDO:1",))}, "consent.finer-choice"),
        ({"preset": "cancer"}, "permission.other-disease"),
    ],
    ids=str,
)
def test_what_is_missing_over_or_unclear_denies(changed: dict[str, Any], rule: str) -> None:
    assert decide(PATIENT.view(**changed), HEART_STUDY, IN_2026) == Decision("deny", rule)


def test_the_first_and_last_day_count() -> None:
    view = PATIENT.view(details=PATIENT.details(starts="2026-05-28", ends="2026-05-28"), recorded_at=0)
    midnight = 1_779_926_400  # 2026-05-28T00:00:00Z
    verdicts = [
        decide(view, HEART_STUDY, when).verdict
        for when in (midnight - 1, midnight, midnight + 86_399, midnight + 86_400)
    ]
    assert verdicts == ["deny", "permit", "permit", "deny"]


@pytest.mark.parametrize(
    ("preset", "purpose", "verdict"),
    [
        ("heart-disease", HEALTH_STUDY, "deny"),
        ("health-research", HEART_STUDY, "permit"),
        ("health-research", HEALTH_STUDY, "permit"),
        ("health-research", GENERAL_STUDY, "deny"),
        ("general-research", GENERAL_STUDY, "permit"),
        ("general-research", HEART_STUDY, "permit"),
        ("health-research", ANCESTRY_STUDY, "deny"),
        ("general-research", ANCESTRY_STUDY, "abstain"),
        ("general-research", study(duo.DS, [HEART], ancestry=True), "abstain"),
        ("heart-disease", study(duo.DS, [HEART, CANCER]), "deny"),
        ("heart-disease", study(duo.DS, [HEART], commercial=True), "deny"),
        ("general-research", study(duo.GRU, commercial=True), "deny"),
    ],
    ids=str,
)
def test_a_preset_permits_what_it_names_and_nothing_wider(preset: str, purpose: Purpose, verdict: str) -> None:
    assert decide(PATIENT.view(preset=preset), purpose, IN_2026).verdict == verdict


def test_a_finer_choice_under_a_wide_preset_leaves_only_those_diseases() -> None:
    view = PATIENT.view(preset="health-research", details=PATIENT.details(diseases=(HEART,)))
    assert decide(view, study(duo.DS, [CORONARY]), IN_2026).permits
    assert decide(view, study(duo.DS, [CANCER]), IN_2026).rule == "consent.finer-choice"
    assert decide(view, HEALTH_STUDY, IN_2026).rule == "consent.finer-choice"


def test_a_study_that_does_not_say_whether_it_is_for_gain_is_denied() -> None:
    silent = Purpose.of(duo.DS, [HEART])
    assert decide(PATIENT.view(), silent, IN_2026) == Decision("deny", "modifier.use-unsaid")


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        (Limits(conditions=(Condition(term=duo.NPU),)), "permission.disease"),
        (Limits(conditions=(Condition(term=duo.GSO),)), "modifier.GSO"),
        (Limits(conditions=(Condition(term=duo.RS, values=("children only",)),)), "modifier.needs-person"),
        (Limits(conditions=(Condition(term=local_terms.NAI),)), "modifier.NAI"),
        (Limits(conditions=(Condition(term=duo.TS, values=("5",)),)), "permission.disease"),  # from 2026-01-15
        (Limits(conditions=(Condition(term=duo.TS, values=("4",)),)), "modifier.TS"),
        (Limits(denied=(Denial(),)), "consent.denied"),
        (Limits(denied=(Denial(diseases=(CORONARY,)),)), "consent.denied"),
        (Limits(denied=(Denial(diseases=(CANCER,)),)), "permission.disease"),
        (Limits(denied=(Denial(diseases=("MONDO:1",)),)), "consent.denied"),
        (Limits(denied=(Denial(ends="2026-05-27"),)), "permission.disease"),
        (Limits(denied=(Denial(ends="2026-05-28"),)), "consent.denied"),
        (Limits(denied=(Denial(starts="2026-05-28"),)), "consent.denied"),
        (Limits(denied=(Denial(starts="2026-05-29"),)), "permission.disease"),
        (Limits(denied=(Denial(data_from="2026-01-01"),)), "permission.disease"),  # the records' dates tell
    ],
    ids=str,
)
def test_what_a_patient_adds_binds(limits: Limits, rule: str) -> None:
    view = PATIENT.view(details=PATIENT.details(limits=limits))
    assert decide(view, HEART_STUDY, IN_2026).rule == rule


def test_equal_limits_are_held_once() -> None:
    one, other = (PATIENT.details(limits=Limits(conditions=(Condition(term=duo.NPU),))) for _ in range(2))
    assert one.limits is other.limits


@pytest.mark.parametrize(
    ("codes", "purpose", "decision"),
    [
        ([duo.DS], HEART_STUDY, Decision("permit", "permission.disease")),
        ([duo.DS], HEALTH_STUDY, Decision("deny", "permission.wider")),
        ([duo.NRES], ANCESTRY_STUDY, Decision("permit", "permission.no-restriction")),
        ([duo.POA], ANCESTRY_STUDY, Decision("permit", "permission.covers")),
        ([duo.POA], HEART_STUDY, Decision("deny", "permission.wider")),
        ([], HEART_STUDY, Decision("abstain", "terms.no-single-permission")),
        ([duo.NCU], HEART_STUDY, Decision("abstain", "terms.no-single-permission")),
        ([duo.DS, duo.HMB], HEART_STUDY, Decision("abstain", "terms.no-single-permission")),
        ([duo.HMB, "DUO:9999999"], HEART_STUDY, Decision("deny", "terms.unknown")),
        (["DUO:0000005"], HEART_STUDY, Decision("permit", "permission.covers")),  # read as what it means today
        (["DUO:0000005"], study(duo.GRU, care=True), Decision("permit", "permission.covers")),
        ([duo.GRU, "DUO:0000014"], study(duo.GRU, care=True), Decision("deny", "permission.no-care")),
        (["DUO:0000002"], HEART_STUDY, Decision("deny", "terms.unknown")),
        ([duo.HMB, duo.CC], HEART_STUDY, Decision("permit", "permission.covers")),
        ([duo.HMB, duo.GSO], HEART_STUDY, Decision("deny", "modifier.GSO")),
        ([duo.HMB, duo.RS], HEART_STUDY, Decision("abstain", "modifier.needs-person")),
        ([duo.RS], HEART_STUDY, Decision("abstain", "terms.no-single-permission")),
        ([duo.HMB, duo.RS, duo.GSO], HEART_STUDY, Decision("deny", "modifier.GSO")),
        ([duo.GRU, "DUO:00000044"], ANCESTRY_STUDY, Decision("deny", "modifier.NPOA")),
    ],
    ids=str,
)
def test_a_data_sets_own_terms(codes: list[str], purpose: Purpose, decision: Decision) -> None:
    assert decide_dataset(DatasetTerms(duo=tuple(codes), diseases=(HEART,)), purpose, USE) == decision


def test_without_a_permission_terms_deny() -> None:
    assert judge_terms(Terms(()), HEART_STUDY, MOMENT) == Decision("deny", "terms.none")


def test_deciding_many_is_deciding_each() -> None:
    views = [PATIENT.view(), PATIENT.view(status="withdrawn"), PATIENT.view(details=None), PATIENT.view()]
    assert decide_all(views, HEART_STUDY, IN_2026) == [decide(view, HEART_STUDY, IN_2026) for view in views]
    assert decide_all([], HEART_STUDY, IN_2026) == []


@pytest.mark.parametrize("rule", REASONS)
def test_reasons_are_short_plain_sentences(rule: str) -> None:
    for sentence in re.split(r"(?<=\.) ", REASONS[rule]):
        words = re.findall(r"[A-Za-z']+", sentence)
        assert len(words) <= 18
        assert max(map(len, words)) <= 11


def test_the_reading_age_of_all_reasons_is_about_ten() -> None:
    """Automated Readability Index (Senter and Smith, 1967): 5 is the school grade of ten-year-olds."""
    text = " ".join(REASONS.values())
    words, sentences = re.findall(r"[A-Za-z']+", text), text.count(".")
    index = 4.71 * sum(map(len, words)) / len(words) + 0.5 * len(words) / sentences - 21.43
    assert index <= 5


def test_a_grant_counts_from_the_very_second_in_which_it_was_recorded() -> None:
    assert decide(PATIENT.view(recorded_at=IN_2026), study(duo.DS, [HEART]), IN_2026).permits


def test_a_limit_of_months_ends_after_its_last_day() -> None:
    month = Limits(conditions=(Condition(term=duo.TS, values=("1",)),))
    view = PATIENT.view(details=PATIENT.details(starts="2026-04-28", limits=month), recorded_at=0)
    answers = [decide(view, HEART_STUDY, when) for when in (IN_2026, IN_2026 + 86_400)]
    assert [(one.verdict, one.rule) for one in answers] == [("permit", "permission.disease"), ("deny", "modifier.TS")]
