"""Deadlines, judged by contract time alone; once one has passed, any member may clear up."""

from __future__ import annotations

import pytest

from consent import periods
from consent.decision import Decision
from tests.contract.memory import START, MemoryLedger
from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, PURPOSE, Patient, World, fresh, organisations

ALPHA, BETA, DELTA, GAMMA = HOSPITALS
TWO = (ALPHA, BETA)
CAP = {"kind": "set-cap", "hospital": GAMMA, "cap": "9"}


@pytest.fixture
def study(world):
    return world.approved(TWO)


def steward(world, function, study, who=f"{GAMMA}.steward", **more):
    arguments = {"study": study["study"], "round": 1, "attempt": 1, **more}
    return world.ledger.submit(who, f"studies:{function}", arguments)


def test_a_cohort_after_the_deadline(world, study):
    opened = world.open(study, 1)
    assert opened["cohort_deadline"] == START + 600
    world.ledger.now = START + 599
    world.commit(ALPHA, study, 1)
    world.ledger.now = START + 600
    with refused(world.ledger, "studies.cohort-late"):
        world.commit(BETA, study, 1)


def test_any_member_fixes_after_the_deadline_without_those_who_missed_it(world):
    study = world.approved((ALPHA, BETA, DELTA))
    world.open(study, 1)
    world.commit(ALPHA, study, 1)
    world.commit(BETA, study, 1)
    with refused(world.ledger, "studies.not-sponsor"):
        steward(world, "Fix", study)
    world.ledger.now += 600
    fixed = steward(world, "Fix", study)
    assert fixed["sites"] == [ALPHA, BETA] and fixed["update_deadline"] == world.ledger.now + 600
    with refused(world.ledger, "studies.round-status"):
        world.commit(DELTA, study, 1)


def test_an_update_after_the_deadline_spends_nothing(world, study):
    world.fixed(study, 1)
    world.ledger.now += 600
    with refused(world.ledger, "studies.update-late"):
        world.site(ALPHA, "Update", study, 1, update=fresh())


def test_any_member_aborts_after_the_last_deadline(world, study):
    world.fixed(study, 1)
    world.ledger.now += 599
    with refused(world.ledger, "studies.not-sponsor"):
        steward(world, "Abort", study, reason="update-missing")
    world.ledger.now += 1
    assert steward(world, "Abort", study, reason="update-missing")["status"] == "aborted"


def test_an_attempt_that_nobody_fixed_can_be_aborted_by_any_member(world, study):
    world.open(study, 1)
    world.ledger.now += 1199
    with refused(world.ledger, "studies.not-sponsor"):
        steward(world, "Abort", study, reason="no-quorum")
    world.ledger.now += 1
    steward(world, "Abort", study, reason="no-quorum")


def test_an_entitlement_ends_with_its_last_day(world, study):
    day = 86400
    last = START + 300 * day
    world.ledger.now = last - last % day + day - 1
    world.trained(study, 1)
    world.ledger.now += 1
    with refused(world.ledger, "studies.entitlement-missing"):
        world.open(study, 2)


def test_any_member_stops_a_study_whose_access_has_ended(world, study):
    arguments = {"study": study["study"], "reason": "access-ended"}
    with refused(world.ledger, "studies.not-sponsor"):
        world.ledger.submit(f"{GAMMA}.steward", "studies:Stop", arguments)
    world.ledger.now += 302 * 86400
    assert world.ledger.submit(f"{GAMMA}.steward", "studies:Stop", arguments)["status"] == "stopped"
    released = world.ledger.submit(f"{ALPHA}.site", "budget:Release", {"study": study["study"]})
    assert released["status"] == "released" and world.account(ALPHA)["epsilon_reserved"] == "0"


def test_a_vote_ends_at_its_deadline(world):
    proposal = world.propose(CAP)
    for hospital in (ALPHA, BETA, DELTA):
        world.vote(hospital, proposal)
    arguments = {"proposal": proposal["proposal"]}
    with refused(world.ledger, "governance.still-open"):
        world.ledger.submit(f"{INSTITUTE}.auditor", "governance:Expire", arguments)
    world.ledger.now = proposal["deadline"]
    with refused(world.ledger, "governance.deadline-passed"):
        world.vote(GAMMA, proposal)
    with refused(world.ledger, "governance.deadline-passed"):
        world.ledger.submit(f"{ALPHA}.steward", "governance:Execute", arguments)
    expired = world.ledger.submit(f"{INSTITUTE}.auditor", "governance:Expire", arguments)
    assert expired["status"] == "expired"
    assert world.ledger.submit(f"{INSTITUTE}.auditor", "governance:Expire", arguments) == expired
    with refused(world.ledger, "governance.closed"):
        world.ledger.submit(f"{ALPHA}.steward", "governance:Execute", arguments)


def test_what_was_executed_does_not_expire(world):
    executed = world.enact(CAP)
    world.ledger.now = executed["deadline"]
    with refused(world.ledger, "governance.closed"):
        world.ledger.submit(f"{ALPHA}.steward", "governance:Expire", {"proposal": executed["proposal"]})


def test_a_grant_may_be_recorded_until_twelve_months_after_its_end(world):
    assert world.record(Patient().grant(valid_from="2025-01", valid_until="2025-09"))["status"] == "active"
    with refused(world.ledger, "consents.validity-past"):  # ended on 31 August 2025; it is 21 September 2026
        world.record(Patient().grant(valid_from="2025-01", valid_until="2025-08"))


def test_a_count_is_answered_in_its_month_or_not_at_all(world):
    dataset = world.register()
    arguments = {"dataset": dataset["dataset"], "version": 1, "purpose": PURPOSE}
    inquiry = world.ledger.submit(f"{INSTITUTE}.researcher", "access:Inquire", arguments)
    world.ledger.now += 30 * 86400
    answer = {name: inquiry[name] for name in ("dataset", "version", "purpose_digest", "month")}
    with refused(world.ledger, "budget.month"):
        world.ledger.submit(f"{ALPHA}.site", "budget:Answer", answer | {"sigma": "20", "answer": 3})


def test_no_account_no_data_set():
    world = World(MemoryLedger())
    world.ledger.submit(f"{ALPHA}.steward", "members:Found", {"organisations": organisations()})
    arguments = world.dataset(ALPHA)
    with refused(world.ledger, "budget.no-account"):
        world.ledger.submit(f"{ALPHA}.steward", "catalogue:Register", arguments)


def test_founding_again_is_answered_with_what_stands(world):
    before = world.ledger.mark()
    arguments = {"organisations": organisations()}
    assert world.ledger.submit(f"{ALPHA}.steward", "members:Found", arguments)["hospitals"] == list(HOSPITALS)
    assert world.ledger.mark() == before


def test_nothing_works_before_the_founding():
    world = World(MemoryLedger())
    with refused(world.ledger, "members.unknown"):
        world.ledger.submit(f"{ALPHA}.steward", "budget:Open", {"cap": "1", "delta": "0.0001"})
    nobody = {"organisations": [one for one in organisations() if one["kind"] == "institute"]}
    with refused(world.ledger, "members.no-hospital"):
        world.ledger.submit(f"{ALPHA}.steward", "members:Found", nobody)
    twice = {"organisations": [*organisations(), organisations()[0]]}
    with refused(world.ledger, "members.twice"):
        world.ledger.submit(f"{ALPHA}.steward", "members:Found", twice)


def past(world, study):
    """The clock on the first second after the last day of the study's access; the entitlement of each data set."""
    asked = world.ledger.evaluate(f"{GAMMA}.steward", "access:Get", {"request": study["plan"]["request"]})
    world.ledger.now = periods.days(asked["until"], asked["until"]).end
    return [(asked["request"], one) for one in study["plan"]["datasets"]]


def test_an_expiry_is_recorded_by_anybody_once_and_for_good(world, study):
    (request, dataset), _ = past(world, study)
    world.ledger.now -= 1
    with refused(world.ledger, "access.not-over"):
        world.expire(request, dataset)
    world.ledger.now += 1
    expired = world.expire(request, dataset, f"{GAMMA}.site")
    assert expired["status"] == "expired" and world.expire(request, dataset) == expired
    revoked = {"request": request, "dataset": dataset["dataset"], "version": 1}
    assert world.ledger.submit(f"{ALPHA}.steward", "access:Revoke", revoked) == expired
    decided = {**revoked, "verdict": "permit", "until": expired["until"], "reason": expired["reason"]}
    assert world.ledger.submit(f"{ALPHA}.steward", "access:Decide", decided) == expired


def test_nothing_is_added_to_a_round_after_the_last_day_of_use(world):
    study = world.approved(TWO, cohort_seconds=2592000, update_seconds=2592000)
    past(world, study)
    end = world.ledger.now
    world.ledger.now = end - 2
    world.fixed(study, 1)
    world.site(ALPHA, "Update", study, 1, update=fresh())
    world.ledger.now = end
    with refused(world.ledger, "studies.entitlement-missing"):
        world.site(BETA, "Update", study, 1, update=fresh())


def test_no_cohort_and_no_measurement_after_the_last_day_of_use(world):
    waiting, measured = (world.approved(TWO, rounds=1, cohort_seconds=2592000, update_seconds=2592000) for _ in "ab")
    world.trained(measured, 1)
    past(world, waiting)
    end = world.ledger.now
    world.ledger.now = end - 2
    world.open(waiting, 1)
    world.fixed(measured, 2)
    world.ledger.now = end
    with refused(world.ledger, "studies.entitlement-missing"):
        world.commit(ALPHA, waiting, 1)
    world.decline(ALPHA, waiting, 1)
    with refused(world.ledger, "studies.entitlement-missing"):
        world.site(ALPHA, "Measure", measured, 2, correct=1, total=2)


def test_any_member_stops_a_study_that_still_trains_once_one_entitlement_has_ended(world):
    running, trained = world.approved(TWO), world.approved(TWO, rounds=1)
    world.trained(running, 1)
    world.trained(trained, 1)
    for study in (running, trained):
        with refused(world.ledger, "studies.not-sponsor"):
            stop(world, study)
        dataset = study["plan"]["datasets"][0]["dataset"]
        revoked = {"request": study["plan"]["request"], "dataset": dataset, "version": 1}
        world.ledger.submit(f"{ALPHA}.steward", "access:Revoke", revoked)
    assert stop(world, running)["status"] == "stopped"
    with refused(world.ledger, "studies.not-sponsor"):  # its model may still be confirmed and released
        stop(world, trained)
    past(world, trained)
    assert stop(world, trained)["status"] == "stopped"


def stop(world, study):
    arguments = {"study": study["study"], "reason": "access.ended"}
    return world.ledger.submit(f"{GAMMA}.site", "studies:Stop", arguments)


def test_rules_that_came_later_are_asked_before_anything_more_is_done(world, monkeypatch):
    """A permit is stored; an upgrade of the contracts may bring rules that would have refused it."""
    plan, proposed, approved = world.plan(TWO), world.propose_study(world.plan(TWO)), world.approved(TWO)
    stricter = Decision("deny", "permission.wider")
    monkeypatch.setattr("consent.ruling.decide_dataset", lambda *_: stricter)
    with refused(world.ledger, "access.duo-denied"):
        world.propose_study(plan)
    with refused(world.ledger, "access.duo-denied"):
        world.approve(proposed, ALPHA)
    with refused(world.ledger, "access.duo-denied"):
        world.open(approved, 1)
