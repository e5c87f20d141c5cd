"""Refusals that need more than one organisation out of step: who votes, whose request, what is still open."""

from __future__ import annotations

from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, ROLES, digest, uuid

ALPHA = HOSPITALS[0]
CAP = {"kind": "set-cap", "hospital": ALPHA, "cap": "9"}


def test_a_proposal_that_nobody_made_is_unknown(world):
    with refused(world.ledger, "governance.unknown"):
        world.vote(ALPHA, {"proposal": uuid(), "digest": digest("nothing")})
    with refused(world.ledger, "governance.unknown"):
        world.ledger.submit(f"{ALPHA}.steward", "governance:Execute", {"proposal": uuid()})


def test_a_hospital_that_came_later_has_no_vote_on_what_was_proposed_before(world):
    earlier = world.propose(CAP)
    newcomer = {"msp": "NewMSP", "name": "New", "kind": "hospital", "roles": ROLES["hospital"], "origins": []}
    world.enact({"kind": "set-organisation", "organisation": newcomer})
    with refused(world.ledger, "governance.not-in-snapshot"):
        world.vote("NewMSP", earlier)
    assert world.vote("NewMSP", world.propose(CAP))["choice"] == "yes"


def test_a_plan_rests_on_a_request_of_its_own_sponsor(world):
    newcomer = {"msp": "NewcomerMSP", "name": "New", "kind": "institute", "roles": ["researcher"], "origins": []}
    world.enact({"kind": "set-organisation", "organisation": newcomer})
    theirs = {"study": uuid(), "plan": world.plan((ALPHA,), quorum=1)}
    with refused(world.ledger, "studies.plan-request"):
        world.ledger.submit("NewcomerMSP.researcher", "studies:Propose", theirs)
    world.ledger.submit(f"{INSTITUTE}.researcher", "studies:Propose", theirs)


def test_nothing_is_released_while_its_evaluation_is_open(world):
    study = world.approved((ALPHA,), rounds=1, quorum=1)
    model = world.trained(study, 1)["model"]
    world.confirm(ALPHA, study, model)
    world.open(study, 2)
    with refused(world.ledger, "studies.round-open"):
        world.release(study, model)
    world.runner("Abort", study, 2, reason="sponsor.concern")
    assert world.release(study, model)["model"] == model
