"""What a withdrawal stops and what it cannot undo follows from where each study stands."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from consent import canonical
from consent.impact import Facts, Impact, Last, Licence, Model, Use, resting

STUDY = "6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11"
LICENCE = Licence(
    holder="Institute", dataset="AlphaMSP/heart", version=1, request=STUDY, until="2027-06-30", status="live"
)
FACTS = Facts(
    study=STUDY,
    title="Hearts",
    purpose="to learn about heart disease",
    status="running",
    planned=3,
    last=Last(round=2, status="closed"),
    on_withdrawal="finish",
    epsilon="0.712",
    delta="0.0001",
    model=None,
    licences=(LICENCE,),
)
MODEL = Model(model="11" * 32, certificate="22" * 32)
IN_TWO = [Use(1, 1, "training"), Use(2, 1, "training"), Use(2, 2, "training")]


def impact(*studies):
    return Impact(hospital="AlphaMSP", commitments=("33" * 32,), studies=studies, epsilon="0.712", delta="0.0001")


@pytest.mark.parametrize(
    ("last", "status", "running", "following"),
    [
        (None, "approved", None, 1),
        (Last(round=2, status="closed"), "running", None, 3),
        (Last(round=2, status="open"), "running", 2, 3),
        (Last(round=2, status="training"), "running", 2, 3),
        (Last(round=2, status="aborted"), "running", None, 2),
        (Last(round=3, status="closed"), "trained", None, 4),
        (Last(round=4, status="training"), "trained", None, None),
        (Last(round=4, status="closed"), "trained", None, None),
        (Last(round=2, status="training"), "stopped", None, None),
        (Last(round=4, status="closed"), "released", None, None),
    ],
)
def test_the_next_round_is_the_first_without_the_patient(last, status, running, following):
    one = resting(replace(FACTS, last=last, status=status), IN_TWO, waits=True)
    assert (one.running, one.next_round, one.rounds) == (running, following, (1, 2))


def test_a_round_that_runs_without_the_patient_is_not_said_to_run_with_them():
    one = resting(replace(FACTS, last=Last(round=3, status="training")), IN_TWO, waits=True)
    assert (one.running, one.next_round) == (None, 4)


def test_a_study_that_the_consent_lets_in_no_more_has_nothing_left_to_stop():
    one = resting(FACTS, IN_TWO, waits=False)
    assert (one.next_round, one.used) == (None, True)


def test_a_study_that_has_not_used_the_record_stops_and_leaves_nothing_behind():
    report = impact(resting(replace(FACTS, last=None, status="approved", epsilon="0"), [], waits=True))
    assert (len(report.stops), report.stays, report.models, report.licences, report.rounds) == (1, (), (), (), 0)


def test_a_released_model_cannot_be_undone_and_two_studies_may_rest_on_one_permission():
    done = replace(FACTS, status="released", last=Last(round=4, status="closed"), model=MODEL)
    report = impact(resting(done, [*IN_TWO, Use(4, 1, "evaluation")], waits=False), resting(FACTS, IN_TWO, waits=True))
    assert [one.facts.model for one in report.models] == [MODEL]
    assert (report.rounds, report.licences, len(report.stops)) == (5, (LICENCE,), 1)
    said = "\n".join(report.lines())
    assert MODEL.certificate in said and "2 studies, 5 rounds, 1 released models, epsilon 0.712" in said
    assert said.count("Institute may use AlphaMSP/heart version 1 until 2027-06-30") == 1


@pytest.mark.parametrize(("plan", "words"), [("finish", "it finishes"), ("discard", "it is discarded and made again")])
def test_the_plan_says_what_becomes_of_the_round_that_runs(plan, words):
    facts = replace(FACTS, last=Last(round=2, status="training"), on_withdrawal=plan)
    assert any(words in line for line in impact(resting(facts, IN_TWO, waits=True)).lines())


def test_the_report_is_canonical_json_and_reads_back():
    report = impact(resting(FACTS, IN_TWO, waits=True))
    assert canonical.decode_as(canonical.encode(report), Impact) == report
