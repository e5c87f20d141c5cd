"""A lifecycle transaction goes to the leader first, and again unless it stands; Fabric's programs are played."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from ledger.network import lifecycle
from ledger.network.errors import NetworkError
from ledger.network.network import Network
from ledger.network.package import INSTALLED, Package
from ledger.network.plan import Contracts, draw

LATE = NetworkError("network.refused", "peer: timed out waiting for txid on all peers")
NONE = NetworkError("network.refused", "peer: could not fetch approved chaincode definition (name: 'covenant')")
PACKAGE = Package("0.1.0", "ab" * 32, INSTALLED)


class Programs:
    """`peer` as seen by one command: `late` answers come too late, of which those in `stood` stand all the same."""

    def __init__(self, late: int, stood: set[int]) -> None:
        self.late, self.stood = late, stood
        self.sent: list[str] = []
        self.approved = False

    def through(self, organisation, orderer):
        return ["--orderer", orderer.name]

    def peer(self, organisation, *arguments):
        verb = arguments[2]
        if verb == "queryinstalled":
            return json.dumps({"installed_chaincodes": [{"package_id": PACKAGE.id}]})
        if verb == "queryapproved":
            if not self.approved:
                raise NONE
            return json.dumps({"source": {"Type": {"LocalPackage": {"package_id": PACKAGE.id}}}})
        assert verb == "approveformyorg"
        self.sent.append(arguments[arguments.index("--orderer") + 1])
        number = len(self.sent)
        self.approved = number > self.late or number in self.stood
        if number <= self.late:
            raise LATE
        return ""


@pytest.fixture
def deployment(monkeypatch):
    def leader(network, organisation):
        if organisation.name == "alpha":
            raise OSError("refused")
        return 3

    monkeypatch.setattr(lifecycle, "leader", leader)

    def make(late=0, stood=()):
        plan = draw(["alpha", "beta", "gamma", "delta"], [], host="127.0.0.1", port=20_000)
        network = Network(SimpleNamespace(), plan, Programs(late, set(stood)))
        contracts = Contracts(1, "0.1.0", PACKAGE.label, PACKAGE.id, "a", str(INSTALLED), committed=False)
        return lifecycle.Deployment(network, PACKAGE, contracts)

    return make


@pytest.mark.parametrize(
    ("late", "stood", "sent"),
    [
        (0, (), ["gamma"]),  # the third consenter leads, as the first orderer that answers says
        (1, (), ["gamma", "alpha"]),
        (1, (1,), ["gamma"]),  # it stood, though nobody said so in time
        (3, (2,), ["gamma", "alpha"]),
    ],
)
def test_an_approval_is_sent_until_it_stands(deployment, late, stood, sent):
    made = deployment(late, stood)
    alpha = made.network.plan.find("alpha")
    made.approve(alpha)
    assert made.network.programs.sent == sent
    made.approve(alpha)
    assert made.network.programs.sent == sent


def test_an_approval_that_no_orderer_takes_is_refused_with_what_the_last_one_said(deployment):
    made = deployment(late=9)
    with pytest.raises(NetworkError, match="timed out"):
        made.approve(made.network.plan.find("beta"))
    assert made.network.programs.sent == ["gamma", "alpha", "beta", "delta"]


def test_a_network_whose_orderers_do_not_answer_is_tried_in_its_own_order(deployment, monkeypatch):
    def silent(network, organisation):
        raise OSError("refused")

    monkeypatch.setattr(lifecycle, "leader", silent)
    network = deployment().network
    assert lifecycle.leader_first(network) == list(network.plan.hospitals)
