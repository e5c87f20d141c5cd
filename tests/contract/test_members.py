"""Who may act: a role counts only if the certificate carries it and `members` allows it to the organisation."""

from __future__ import annotations

import pytest

from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, ROLES, organisations


def test_members_are_listed(world):
    listed = world.ledger.evaluate(f"{INSTITUTE}.auditor", "members:List", {})
    assert {one["msp"] for one in listed} >= {*HOSPITALS, INSTITUTE}


def test_founding_otherwise_is_refused(world):
    fewer = [one for one in organisations() if one["msp"] != HOSPITALS[3]]
    with refused(world.ledger, "members.genesis"):
        world.ledger.submit(f"{HOSPITALS[0]}.steward", "members:Found", {"organisations": fewer})
    more = [*organisations(), organisations()[1] | {"msp": "NewcomerMSP"}]
    with refused(world.ledger, "members.genesis"):
        world.ledger.submit(f"{HOSPITALS[0]}.steward", "members:Found", {"organisations": more})
    renamed = [one | {"name": "Another name"} for one in organisations()]
    with refused(world.ledger, "members.known-differently"):
        world.ledger.submit(f"{HOSPITALS[0]}.steward", "members:Found", {"organisations": renamed})


def test_who_founds_silences_no_other_hospital(world):
    listed = organisations()
    listed[1] |= {"roles": ["peer"]}
    with refused(world.ledger, "members.roles"):
        world.ledger.submit(f"{HOSPITALS[0]}.steward", "members:Found", {"organisations": listed})


@pytest.mark.parametrize(
    "who", [f"{HOSPITALS[0]}.registrar", f"{INSTITUTE}.researcher", f"{INSTITUTE}.steward", "StrangerMSP.steward"]
)
def test_only_a_hospitals_steward_founds(world, who):
    with refused(world.ledger, "role.missing"):
        world.ledger.submit(who, "members:Found", {"organisations": organisations()})


def test_a_hospital_cannot_be_given_a_researchers_role(world):
    listed = organisations()
    listed[0]["roles"] = ROLES["institute"]
    with refused(world.ledger, "members.roles"):
        world.ledger.submit(f"{HOSPITALS[0]}.steward", "members:Found", {"organisations": listed})


def test_a_certificate_without_the_role_is_refused(world):
    with refused(world.ledger, "role.missing"):
        world.ledger.submit(f"{HOSPITALS[0]}.registrar", "budget:Open", {"cap": "8", "delta": "0.0001"})


def test_a_role_that_members_does_not_allow_is_refused(world):
    with refused(world.ledger, "role.missing"):
        world.ledger.submit(f"{INSTITUTE}.steward", "budget:Open", {"cap": "8", "delta": "0.0001"})


def test_a_stranger_is_refused(world):
    with refused(world.ledger, "members.unknown"):
        world.ledger.submit("StrangerMSP.steward", "budget:Open", {"cap": "8", "delta": "0.0001"})
