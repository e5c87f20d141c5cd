"""One hospital, one vote, on exactly what will run; hard limits bind a majority as they bind anybody."""

from __future__ import annotations

import pytest

from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, PURPOSE, ROLES, fresh, uuid, wanted

ALPHA, BETA, DELTA, GAMMA = HOSPITALS
NEW = {"msp": "NewMSP", "name": "New", "kind": "hospital", "roles": ["steward"], "origins": ["https://new.example"]}
CAP = {"kind": "set-cap", "hospital": GAMMA, "cap": "8"}


def execute(world, proposal):
    return world.ledger.submit(f"{ALPHA}.steward", "governance:Execute", {"proposal": proposal["proposal"]})


def test_half_of_the_hospitals_is_no_majority(world):
    proposal = world.propose(CAP)
    for hospital in (ALPHA, BETA):
        world.vote(hospital, proposal)
    world.vote(DELTA, proposal, "no")
    with refused(world.ledger, "governance.no-majority"):
        execute(world, proposal)
    world.vote(GAMMA, proposal)
    executed = execute(world, proposal)
    assert executed["status"] == "executed"
    assert execute(world, proposal) == executed


def test_a_vote_names_the_digest_of_what_runs(world):
    proposal = world.propose(CAP)
    with refused(world.ledger, "governance.digest-mismatch"):
        world.vote(BETA, proposal | {"digest": fresh()})


def test_a_hospital_votes_once(world):
    proposal = world.propose(CAP)
    assert world.vote(BETA, proposal) == world.vote(BETA, proposal)
    with refused(world.ledger, "governance.known-differently"):
        world.vote(BETA, proposal, "no")


def test_nobody_votes_on_what_was_executed(world):
    proposal = world.propose(CAP)
    for hospital in (ALPHA, BETA, DELTA):
        world.vote(hospital, proposal)
    execute(world, proposal)
    with refused(world.ledger, "governance.closed"):
        world.vote(GAMMA, proposal)


def test_the_institute_has_no_vote(world):
    proposal = world.propose(CAP)
    arguments = {"proposal": proposal["proposal"], "digest": proposal["digest"], "choice": "yes"}
    for role in ("researcher", "runner", "steward"):
        with refused(world.ledger, "role.missing"):
            world.ledger.submit(f"{INSTITUTE}.{role}", "governance:Vote", arguments)


def test_the_same_proposal_again_stands_and_another_under_its_id_does_not(world):
    proposal = world.propose(CAP)
    arguments = {name: proposal[name] for name in ("proposal", "action", "deadline")}
    assert world.ledger.submit(f"{ALPHA}.steward", "governance:Propose", arguments) == proposal
    with refused(world.ledger, "governance.known-differently"):
        world.ledger.submit(f"{BETA}.steward", "governance:Propose", arguments)


def test_a_vote_ends_within_ninety_days(world):
    for deadline in (world.ledger.now - 1, world.ledger.now + 91 * 86400):
        arguments = {"proposal": uuid(), "action": CAP, "deadline": deadline}
        with refused(world.ledger, "governance.deadline"):
            world.ledger.submit(f"{ALPHA}.steward", "governance:Propose", arguments)


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ({"kind": "set-cap", "hospital": GAMMA, "cap": "10.1"}, "budget.cap"),
        ({"kind": "set-cap", "hospital": "NobodyMSP", "cap": "1"}, "budget.no-account"),
        ({"kind": "declare-disjoint", "hospitals": [ALPHA, "NobodyMSP"]}, "governance.hospital-unknown"),
        ({"kind": "declare-disjoint", "hospitals": [ALPHA, ALPHA]}, "governance.disjoint"),
        ({"kind": "declare-disjoint", "hospitals": [ALPHA]}, "arguments.invalid"),
        ({"kind": "set-organisation", "organisation": NEW | {"roles": ROLES["institute"]}}, "members.roles"),
        ({"kind": "set-organisation", "organisation": NEW | {"msp": INSTITUTE}}, "members.kind"),
        ({"kind": "lower-minimum-cohort", "to": 5}, "arguments.invalid"),
    ],
)  # fmt: skip
def test_what_no_majority_can_have(world, action, code):
    with refused(world.ledger, code):
        world.propose(action)


def test_an_organisation_is_admitted_by_vote_and_its_role_counts_from_then_on(world):
    dataset = world.register()
    arguments = {
        "request": uuid(),
        "purpose": PURPOSE,
        "datasets": [wanted(dataset)],
        "protocol": fresh(),
        "until": world.day(10),
    }

    def ask():
        return world.ledger.submit("NewcomerMSP.researcher", "access:Request", arguments)

    newcomer = {"msp": "NewcomerMSP", "name": "Newcomer", "kind": "institute", "roles": ["researcher"], "origins": []}
    with refused(world.ledger, "members.unknown"):
        ask()
    world.enact({"kind": "set-organisation", "organisation": newcomer})
    assert ask()["requester"] == "NewcomerMSP"
    world.enact({"kind": "set-organisation", "organisation": newcomer | {"roles": []}})
    with refused(world.ledger, "role.missing"):
        ask()
