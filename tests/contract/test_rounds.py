"""Rounds: cohorts, a fixed set of sites, one update and one spend an attempt, nothing closed that is not complete."""

from __future__ import annotations

import pytest

from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, Patient, fresh, uuid

ALPHA, BETA, DELTA, GAMMA = HOSPITALS
TWO = (ALPHA, BETA)


@pytest.fixture
def study(world):
    return world.approved(TWO)


def reservation(world, study, hospital=ALPHA):
    view = world.ledger.evaluate(f"{hospital}.steward", "budget:Account", {"hospital": hospital})
    return view["spent"], view["reserved"]


def update(world, study, hospital=ALPHA, *, number=1, digest=None):
    return world.site(hospital, "Update", study, number, update=digest or fresh())


def test_rounds_come_in_order(world, study):
    for number, attempt in ((2, 1), (1, 2)):
        with refused(world.ledger, "studies.round-order"):
            world.open(study, number, attempt)
    opened = world.open(study, 1)
    assert opened["status"] == "open" and opened["base"] == study["plan"]["initial"]
    assert world.open(study, 1) == opened
    with refused(world.ledger, "studies.round-order"):  # the first is still open
        world.open(study, 2)


def test_training_and_evaluation_have_their_rounds(world, study):
    with refused(world.ledger, "studies.round-kind"):
        world.runner("Open", study, 1, kind="evaluation")
    with refused(world.ledger, "studies.round-kind"):
        world.runner("Open", study, 3, kind="training")
    with refused(world.ledger, "studies.wrong-status"):  # not trained yet
        world.open(study, 3)


def test_the_sponsors_runner_opens_and_nobody_else(world, study):
    arguments = {"study": study["study"], "round": 1, "attempt": 1, "kind": "training"}
    for who in (f"{ALPHA}.steward", f"{ALPHA}.site", f"{INSTITUTE}.researcher", f"{ALPHA}.runner"):
        with refused(world.ledger, "role.missing"):
            world.ledger.submit(who, "studies:Open", arguments)


def test_a_revoked_entitlement_opens_no_round(world, study):
    arguments = {"request": study["plan"]["request"], "dataset": study["plan"]["datasets"][0]["dataset"], "version": 1}
    world.ledger.submit(f"{ALPHA}.steward", "access:Revoke", arguments)
    with refused(world.ledger, "studies.entitlement-missing"):
        world.open(study, 1)


def test_a_cohort_for_a_round_that_is_not_open(world, study):
    with refused(world.ledger, "studies.round-unknown"):
        world.commit(ALPHA, study, 1)
    world.fixed(study, 1)
    with refused(world.ledger, "studies.known-differently"):
        world.commit(ALPHA, study, 1)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"root": None}, "studies.cohort"),
        ({"bucket": None}, "studies.cohort"),
        ({"declined": True}, "studies.cohort"),
        ({"bucket": "10-19"}, "studies.min-cohort"),
        ({"bucket": "16"}, "studies.min-cohort"),
        ({"root": "abc"}, "arguments.invalid"),
        ({"version": 2}, "studies.plan-dataset"),
        ({"dataset": f"{ALPHA}/other"}, "studies.plan-dataset"),
    ],
)  # fmt: skip
def test_what_is_no_cohort(world, study, changes, code):
    world.open(study, 1)
    with refused(world.ledger, code):
        world.commit(ALPHA, study, 1, **changes)


def test_a_cohort_below_the_plans_minimum(world):
    study = world.approved(TWO, min_cohort=60)
    world.open(study, 1)
    with refused(world.ledger, "studies.min-cohort"):
        world.commit(ALPHA, study, 1, bucket="20-49")
    assert world.commit(ALPHA, study, 1, bucket="50-99")["bucket"] == "50-99"


def test_a_site_answers_once_for_itself(world, study):
    world.open(study, 1)
    root = fresh()
    assert world.commit(ALPHA, study, 1, root=root) == world.commit(ALPHA, study, 1, root=root)
    with refused(world.ledger, "studies.known-differently"):
        world.decline(ALPHA, study, 1)
    cohort = {"dataset": study["plan"]["datasets"][0]["dataset"], "version": 1, "root": root, "bucket": "50-99"}
    with refused(world.ledger, "studies.not-a-site"):
        world.site(GAMMA, "Commit", study, 1, **cohort, declined=False)
    with refused(world.ledger, "studies.plan-dataset"):  # in another one's name
        world.site(BETA, "Commit", study, 1, **cohort, declined=False)


def test_a_paused_hospital_commits_no_cohort_and_may_decline(world, study):
    world.open(study, 1)
    pause = {"paused": True}
    assert world.ledger.submit(f"{ALPHA}.steward", "studies:Pause", pause)["paused"]
    try:
        with refused(world.ledger, "studies.paused"):
            world.commit(ALPHA, study, 1)
        assert world.decline(ALPHA, study, 1)["declined"]
    finally:
        world.ledger.submit(f"{ALPHA}.steward", "studies:Pause", {"paused": False})


def test_the_set_is_fixed_when_all_have_answered_and_the_quorum_is_met(world, study):
    world.open(study, 1)
    world.commit(ALPHA, study, 1)
    with refused(world.ledger, "studies.cohorts-awaited"):
        world.runner("Fix", study, 1)
    world.decline(BETA, study, 1)
    with refused(world.ledger, "studies.no-quorum"):
        world.runner("Fix", study, 1)
    with refused(world.ledger, "studies.not-sponsor"):
        world.ledger.submit(f"{ALPHA}.steward", "studies:Fix", {"study": study["study"], "round": 1, "attempt": 1})


def test_an_update_comes_with_its_spend_once_an_attempt(world, study):
    world.fixed(study, 1)
    spent, reserved = reservation(world, study)
    digest = fresh()
    given = update(world, study, digest=digest)
    assert given["event"] == {"mechanism": "poisson-subsampled-gaussian", "sigma": "20", "q": "0.1", "steps": 4}
    after = reservation(world, study)
    moved = [int(new) - int(old) for old, new in zip(spent, after[0], strict=True)]
    assert min(moved) > 0 and moved == [int(old) - int(new) for old, new in zip(reserved, after[1], strict=True)]
    assert update(world, study, digest=digest) == given
    with refused(world.ledger, "studies.update-known"):
        update(world, study)
    assert reservation(world, study) == after


def test_an_update_outside_a_fixed_round(world, study):
    with refused(world.ledger, "studies.round-unknown"):
        update(world, study)
    world.open(study, 1)
    with refused(world.ledger, "studies.not-in-round"):  # nobody is fixed yet
        update(world, study)
    with refused(world.ledger, "studies.not-in-round"):
        update(world, study, GAMMA)
    with refused(world.ledger, "studies.not-in-round"):
        world.site(ALPHA, "Measure", study, 1, correct=1, total=1)


def test_a_site_that_declined_gives_no_update(world):
    study = world.approved((ALPHA, BETA, DELTA))
    world.fixed(study, 1, declining=(DELTA,))
    with refused(world.ledger, "studies.not-in-round"):
        update(world, study, DELTA)
    with refused(world.ledger, "studies.round-kind"):
        world.site(ALPHA, "Measure", study, 1, correct=1, total=1)


def test_a_round_with_a_site_missing_is_not_closed(world, study):
    world.fixed(study, 1)
    update(world, study, ALPHA)
    with refused(world.ledger, "studies.site-missing") as caught:
        world.runner("Close", study, 1, model=fresh())
    assert "not contributed" in caught.value.message
    update(world, study, BETA)
    with refused(world.ledger, "studies.model"):
        world.runner("Close", study, 1, model=None)
    closed = world.runner("Close", study, 1, model=(model := fresh()))
    assert world.runner("Close", study, 1, model=model) == closed
    with refused(world.ledger, "studies.known-differently"):
        world.runner("Close", study, 1, model=fresh())
    assert world.open(study, 2)["base"] == model


def test_a_round_that_is_not_fixed_is_not_closed(world, study):
    world.open(study, 1)
    with refused(world.ledger, "studies.round-status"):
        world.runner("Close", study, 1, model=fresh())


def test_an_aborted_attempt_keeps_its_spend_and_a_spare_one_follows(world, study):
    world.fixed(study, 1)
    update(world, study, ALPHA)
    spent = reservation(world, study)[0]
    with refused(world.ledger, "studies.not-sponsor"):
        arguments = {"study": study["study"], "round": 1, "attempt": 1, "reason": "update-missing"}
        world.ledger.submit(f"{ALPHA}.site", "studies:Abort", arguments)
    aborted = world.runner("Abort", study, 1, reason="update-missing")
    assert aborted["status"] == "aborted" and world.runner("Abort", study, 1, reason="update-missing") == aborted
    assert reservation(world, study)[0] == spent
    with refused(world.ledger, "studies.round-status"):
        update(world, study, BETA)
    with refused(world.ledger, "studies.round-status"):
        world.runner("Close", study, 1, model=fresh())
    assert world.trained(study, 1, attempt=2)["base"] == study["plan"]["initial"]


def test_spare_attempts_end(world, study):
    for attempt in (1, 2):
        world.open(study, 1, attempt)
        world.runner("Abort", study, 1, attempt, reason="no-quorum")
    with refused(world.ledger, "studies.attempts-spent"):
        world.open(study, 1, 3)


def test_an_evaluation_is_paid_once_and_counts_in_its_next_attempt(world, study):
    for number in (1, 2):
        world.trained(study, number)
    world.fixed(study, 3)
    with refused(world.ledger, "studies.round-kind"):
        update(world, study, number=3)
    measured = world.site(ALPHA, "Measure", study, 3, correct=-2, total=31)
    assert measured["event"] == {"mechanism": "gaussian", "sigma": "50", "q": None, "steps": 1}
    assert world.site(ALPHA, "Measure", study, 3, correct=-2, total=31) == measured
    with refused(world.ledger, "studies.known-differently"):
        world.site(ALPHA, "Measure", study, 3, correct=-1, total=31)
    with refused(world.ledger, "studies.site-missing"):
        world.runner("Close", study, 3, model=None)
    world.runner("Abort", study, 3, reason="measurement-missing")
    world.fixed(study, 3, 2)
    with refused(world.ledger, "budget.reservation-spent"):
        world.site(ALPHA, "Measure", study, 3, 2, correct=-1, total=31)
    with refused(world.ledger, "studies.site-missing"):
        world.runner("Close", study, 3, 2, model=None)
    world.site(TWO[1], "Measure", study, 3, 2, correct=-1, total=31)
    assert world.runner("Close", study, 3, 2, model=None)["status"] == "closed"


def test_an_unknown_study_has_no_rounds(world, study):
    nothing = study | {"study": uuid()}
    with refused(world.ledger, "studies.unknown"):
        world.open(nothing, 1)
    with refused(world.ledger, "studies.unknown"):
        update(world, nothing)


def test_a_round_can_be_read_with_its_contributions(world, study):
    world.trained(study, 1)
    arguments = {"study": study["study"], "round": 1, "attempt": 1}
    view = world.ledger.evaluate(f"{INSTITUTE}.auditor", "studies:Round", arguments)
    assert view["round"]["status"] == "closed" and view["measurements"] == []
    assert [one["hospital"] for one in view["cohorts"]] == [one["hospital"] for one in view["updates"]] == list(TWO)


@pytest.fixture
def discarding(world):
    return world.approved(TWO, on_withdrawal="discard")


def withdrawn(world, hospital):
    """Somebody's consent at `hospital`, recorded before and withdrawn now: nobody says whether they are in a cohort."""
    patient = Patient(hospital)
    signed = patient.grant()
    world.record(signed)
    arguments = {"commitment": signed.commitment, "by": "code"}
    world.ledger.submit(f"{GAMMA}.site", "consents:Withdraw", arguments, signed.withdrawal(code=patient.code))


def test_any_withdrawal_at_a_site_discards_an_attempt_whose_plan_says_so(world, discarding):
    world.fixed(discarding, 1)
    for hospital in TWO:
        update(world, discarding, hospital)
    spent = reservation(world, discarding)
    withdrawn(world, BETA)
    with refused(world.ledger, "studies.consent-withdrawn"):
        world.runner("Close", discarding, 1, model=fresh())
    world.runner("Abort", discarding, 1, reason="studies.consent-withdrawn")
    assert reservation(world, discarding) == spent
    assert world.trained(discarding, 1, attempt=2)["status"] == "closed"


def test_a_withdrawal_while_cohorts_are_frozen_ends_the_attempt_before_anything_is_spent(world, discarding):
    world.open(discarding, 1)
    for hospital in TWO:
        world.commit(hospital, discarding, 1)
    withdrawn(world, ALPHA)
    with refused(world.ledger, "studies.consent-withdrawn"):
        world.runner("Fix", discarding, 1)


def test_an_evaluation_is_discarded_too(world, discarding):
    for number in (1, 2):
        world.trained(discarding, number)
    world.fixed(discarding, 3)
    for hospital in TWO:
        world.site(hospital, "Measure", discarding, 3, correct=3, total=31)
    withdrawn(world, ALPHA)
    with refused(world.ledger, "studies.consent-withdrawn"):
        world.runner("Close", discarding, 3, model=None)


def test_only_what_ends_a_consent_at_a_site_during_the_attempt_discards_it(world, discarding):
    withdrawn(world, ALPHA)  # before the attempt
    world.open(discarding, 1)
    withdrawn(world, DELTA)  # a hospital of another study
    never_given = Patient(ALPHA)
    signed = never_given.grant()
    arguments = {"commitment": signed.commitment, "by": "code"}
    world.ledger.submit(f"{GAMMA}.site", "consents:Withdraw", arguments, signed.withdrawal(code=never_given.code))
    world.commit(BETA, discarding, 1)
    world.decline(ALPHA, discarding, 1)
    with refused(world.ledger, "studies.no-quorum"):
        world.runner("Fix", discarding, 1)
    world.runner("Abort", discarding, 1, reason="studies.no-quorum")
    assert world.trained(discarding, 1, attempt=2)["status"] == "closed"


def test_where_the_plan_says_finish_a_frozen_round_goes_on(world, study):
    world.fixed(study, 1)
    withdrawn(world, ALPHA)
    for hospital in TWO:
        update(world, study, hospital)
    assert world.runner("Close", study, 1, model=fresh())["withdrawals"] == {}
