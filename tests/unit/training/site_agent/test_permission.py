"""Who has withdrawn and what has ended since the cohort: what was allowed is asked again before records are read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.memory_ledger import MemoryWriter
from tests.unit.training.site_agent.rounds import ALPHA, fixed, opened, refused, trained
from training.errors import TrainingError
from training.federation.messages import Request
from training.federation.studies import Studies
from training.site.stores import Attempt


def test_a_withdrawal_counts_until_training_begins_wherever_it_was_handed_in(world, study):
    fixed(world, study)
    hospital = world.hospitals[ALPHA]
    here, there = list(hospital.grants.values())[:2]
    here.handed_in = True
    hospital.withdraw(there, elsewhere=True)
    world.ask(ALPHA, "train", study, 1, 1)
    (read,) = hospital.loads
    committed = hospital.cohorts[Attempt(study, 1, 1, "training")].members
    assert {member.patient for member in committed} - set(read) == {here.patient, there.patient}
    world.run("runner", "studies:Abort", {"study": study, "round": 1, "attempt": 1, "reason": "hub.test"})
    opened(world, study, 1, 2)
    world.ask(ALPHA, "cohort", study, 1, 2)
    frozen = {member.patient for member in hospital.cohorts[Attempt(study, 1, 2, "training")].members}
    assert not frozen & {here.patient, there.patient} and len(frozen) == 28


def test_what_a_withdrawal_discards_is_neither_trained_nor_spent(world):
    study = world.study(on_withdrawal="discard")
    fixed(world, study)
    hospital = world.hospitals["BetaMSP"]
    hospital.withdraw(next(iter(hospital.grants.values())), elsewhere=True)
    for site in (ALPHA, "BetaMSP"):
        with refused("site.attempt-discarded"):
            world.ask(site, "train", study, 1, 1)
    assert world.hospitals[ALPHA].loads == [] and Studies(world.view).updates(Studies(world.view).last(study, 1)) == {}


def test_too_few_left_by_withdrawals_are_never_trained_on(world, study):
    fixed(world, study)
    hospital = world.hospitals[ALPHA]
    for made in list(hospital.grants.values())[:11]:
        hospital.withdraw(made, elsewhere=True)
    for _ in range(2):
        with refused("site.attempt-lost"):  # which is what a crash says, too
            world.ask(ALPHA, "train", study, 1, 1)
    assert hospital.loads == [] and Studies(world.view).updates(Studies(world.view).last(study, 1)) == {}


def test_twenty_left_by_withdrawals_still_train(world, study):
    fixed(world, study)
    hospital = world.hospitals[ALPHA]
    for made in list(hospital.grants.values())[:10]:
        hospital.withdraw(made, elsewhere=True)
    world.ask(ALPHA, "train", study, 1, 1)
    assert [len(read) for read in hospital.loads] == [20]


def test_a_withdrawal_from_elsewhere_counts_until_the_measurement(world):
    study = world.study(rounds=1)
    trained(world, study)
    fixed(world, study, 2, kind="evaluation")
    hospital = world.hospitals[ALPHA]
    gone = next(made for made in hospital.grants.values() if made.patient in hospital.held_out)
    hospital.withdraw(gone, elsewhere=True)
    world.ask(ALPHA, "evaluate", study, 2, 1)
    assert len(hospital.loads[-1]) == 23 and gone.patient not in hospital.loads[-1]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("revoke", "site.no-entitlement"),
        ("retire", "site.dataset-retired"),
        ("stop", "site.study-ended"),
        ("pause", "site.paused"),
        ("wait", "site.deadline-passed"),
    ],
)
def test_what_ended_since_the_cohort_stops_the_training(world, study, end, code):
    fixed(world, study)
    hospital, plan = world.hospitals[ALPHA], Studies(world.view).study(study).plan
    dataset = {"dataset": hospital.dataset, "version": 1}
    if end == "revoke":
        hospital.submit("steward", "access:Revoke", {"request": plan.request, **dataset})
    elif end == "retire":
        hospital.submit("steward", "catalogue:Retire", dataset)
    elif end == "stop":
        world.run("researcher", "studies:Stop", {"study": study, "reason": "test.stop"})
    elif end == "pause":
        hospital.submit("steward", "studies:Pause", {"paused": True})
    else:
        world.now = Studies(world.view).last(study, 1).update_deadline
    with refused(code):
        world.ask(ALPHA, "train", study, 1, 1)
    assert hospital.loads == []


def test_access_lasts_to_the_last_second_of_its_last_day(world, study):
    studies = Studies(world.view)
    plan = studies.study(study).plan
    over = int(datetime(2027, 7, 1, tzinfo=UTC).timestamp())  # it is granted until the 30th of June
    assert studies.entitlement(plan, plan.dataset(ALPHA), over - 1).until == "2027-06-30"
    with refused("site.no-entitlement"):
        studies.entitlement(plan, plan.dataset(ALPHA), over)


def test_a_kept_update_is_not_let_go_once_its_permission_has_ended(world, study):
    fixed(world, study)
    hospital = world.hospitals[ALPHA]

    class Away(MemoryWriter):
        def submit(self, function, arguments):
            raise TrainingError("portal.ledger-unavailable", "the ledger is away")

    agent = world.agent(hospital, writer=Away(world.ledger, ALPHA, "site"))
    with refused("portal.ledger-unavailable"):
        agent.handle(Request(kind="train", study=study, round=1, attempt=1, height=0))
    hospital.submit("steward", "studies:Pause", {"paused": True})
    with refused("site.paused"):
        world.ask(ALPHA, "train", study, 1, 1)
    hospital.submit("steward", "studies:Pause", {"paused": False})
    world.ask(ALPHA, "train", study, 1, 1)
    assert len(hospital.loads) == 1


def test_a_retired_data_set_is_refused_before_the_cohort(world, study):
    opened(world, study)
    hospital = world.hospitals[ALPHA]
    hospital.submit("steward", "catalogue:Retire", {"dataset": hospital.dataset, "version": 1})
    with refused("site.dataset-retired"):
        world.ask(ALPHA, "cohort", study, 1, 1)
    assert not hospital.cohorts


def test_a_grant_recorded_after_the_round_opened_does_not_count(world, study):
    hospital = world.hospitals[ALPHA]
    gone = next(iter(hospital.grants.values()))
    hospital.withdraw(gone)
    opened(world, study)
    hospital.grant(gone.patient)
    world.ask(ALPHA, "cohort", study, 1, 1)
    assert gone.patient not in {member.patient for member in hospital.cohorts[Attempt(study, 1, 1, "training")].members}


def test_after_a_withdrawal_paper_does_not_bring_a_patient_back(world, study):
    hospital = world.hospitals[ALPHA]
    paper, signed = list(hospital.grants.values())[:2]
    for made, attestation in ((paper, "hospital-attested"), (signed, "portal-key")):
        hospital.withdraw(made)
        hospital.grant(made.patient, attestation=attestation)
    opened(world, study)
    world.ask(ALPHA, "cohort", study, 1, 1)
    frozen = {member.patient for member in hospital.cohorts[Attempt(study, 1, 1, "training")].members}
    assert paper.patient not in frozen and signed.patient in frozen


def test_paper_does_not_bring_a_patient_back_while_the_withdrawal_is_still_on_its_way(world, study):
    hospital = world.hospitals[ALPHA]
    gone = next(iter(hospital.grants.values()))
    hospital.grant(gone.patient, attestation="hospital-attested")
    gone.handed_in = True
    opened(world, study)
    world.ask(ALPHA, "cohort", study, 1, 1)
    assert gone.patient not in {member.patient for member in hospital.cohorts[Attempt(study, 1, 1, "training")].members}
