"""What hangs on results that are owed and late: nothing new for who keeps them; a vote where nobody can say."""

from __future__ import annotations

import json

import pytest

from consent import duo, periods
from consent.purpose import Asking
from ledger.contracts import debts
from tests.contract.refusals import refused
from tests.contract.test_closings import ALPHA, BETA, ended
from tests.contract.world import HOSPITALS, INSTITUTE, PURPOSE, digest, uuid, wanted

GAMMA = HOSPITALS[3]
PROMISED = Asking(accepts=(duo.RTN,))


def due(world, study):
    return world.ledger.record(f"access/request/{study['plan']['request']}")["until"]


def owed(world):
    if debts.key(INSTITUTE) not in world.ledger.state:
        return []
    return [(one["study"], one["hospitals"]) for one in world.ledger.record(debts.key(INSTITUTE))["owed"]]


def after(world, study):
    """The first second after the last day of the access that the study rested on."""
    world.ledger.now = periods.days(due(world, study), due(world, study)).end


def test_nothing_new_is_permitted_to_who_keeps_results_back_beyond_the_last_day(world):
    study = ended(world, asking=PROMISED)
    assert owed(world) == [(study["study"], [ALPHA, BETA])]
    fresh = world.register(GAMMA)
    after(world, study)
    world.ledger.now -= 1
    waiting = world.request([fresh], until=world.day(100))
    proposed = world.propose_study(world.plan((BETA,), quorum=1))  # on the last day itself
    world.ledger.now += 1
    with refused(world.ledger, "studies.return-overdue") as caught:
        world.decide(waiting, fresh)
    assert caught.value.context["studies"] == [study["study"]] and f"{ALPHA}, {BETA}" in caught.value.message
    with refused(world.ledger, "studies.return-overdue"):
        world.approve(proposed, BETA)
    with refused(world.ledger, "studies.return-overdue"):
        world.propose_study(proposed["plan"])
    assert world.decide(waiting, fresh, verdict="deny")["status"] == "denied"
    world.receive(ALPHA, study)
    with refused(world.ledger, "studies.return-overdue") as caught:
        world.approve(proposed, BETA)
    assert ALPHA not in caught.value.message
    world.receive(BETA, study)
    assert owed(world) == []
    assert world.approve(proposed, BETA)["hospital"] == BETA
    world.propose_study(proposed["plan"])


def test_another_institution_is_not_held_to_it(world):
    study = ended(world, asking=PROMISED)
    roles = {"roles": ["researcher"], "origins": []}
    newcomer = {"msp": "NewcomerMSP", "name": "Newcomer", "kind": "institute", **roles}
    world.enact({"kind": "set-organisation", "organisation": newcomer})
    after(world, study)
    asked = {
        "request": uuid(),
        "purpose": PURPOSE,
        "datasets": [wanted(fresh := world.register(GAMMA))],
        "protocol": digest("protocol"),
        "until": world.day(100),
    }
    theirs = world.ledger.submit("NewcomerMSP.researcher", "access:Request", asked)
    assert world.decide(theirs, fresh)["status"] == "live"


def test_what_runs_goes_on(world):
    """A consequence for what is new alone: patients' records are used for what was agreed before, as it was agreed."""
    study = ended(world, asking=PROMISED)
    world.ledger.now += 86_400
    running = world.approved((BETA,), quorum=1)
    after(world, study)
    assert world.open(running, 1)["status"] == "open"


@pytest.mark.parametrize(("terms", "asking", "hospitals"), [([duo.RTN], PROMISED, 2), ([], None, 0)])
def test_only_what_is_owed_is_noted(world, terms, asking, hospitals):
    study = ended(world, terms=terms, asking=asking)
    assert [len(names) for _, names in owed(world)] == ([hospitals] if hospitals else [])
    after(world, study)
    fresh = world.register(GAMMA)
    request = world.request([fresh], until=world.day(100))
    if hospitals:
        with refused(world.ledger, "studies.return-overdue"):
            world.decide(request, fresh)
    else:
        assert world.decide(request, fresh)["status"] == "live"


def test_a_study_that_is_stopped_owes_what_its_rounds_have_taken(world):
    plan = world.plan((ALPHA, BETA), rounds=2, quorum=1)
    asked = world.ledger.record(f"access/request/{plan['request']}")
    datasets = [world.register(hospital, duo=["DUO:0000007", duo.RTN]) for hospital in (ALPHA, BETA)]
    request = world.request(datasets, purpose={**asked["purpose"], "asking": PROMISED})
    for dataset in datasets:
        world.decide(request, dataset)
    plan["request"] = request["request"]
    for source, dataset in zip(plan["datasets"], datasets, strict=True):
        source |= {"dataset": dataset["dataset"]}
    study = world.propose_study(plan)
    for hospital in (ALPHA, BETA):
        world.approve(study, hospital)
    world.trained(study, 1)
    assert owed(world) == []
    stop = {"study": study["study"], "reason": "sponsor.concern"}
    world.ledger.submit(f"{INSTITUTE}.researcher", "studies:Stop", stop)
    world.ledger.submit(f"{INSTITUTE}.researcher", "studies:Stop", stop)
    assert owed(world) == [(study["study"], [ALPHA, BETA])]


def test_a_vote_waives_what_a_hospital_does_not_say(world):
    study = ended(world, asking=PROMISED)
    after(world, study)
    world.enact({"kind": "waive-return", "study": study["study"], "hospital": ALPHA})
    assert owed(world) == [(study["study"], [BETA])]
    assert json.loads(world.ledger.state[f"studies/return/{study['study']}/{ALPHA}"])["results"] is None
