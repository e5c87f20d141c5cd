"""One hospital of four does what it likes with its own machines, keys and programs: the others notice, and go on."""

from __future__ import annotations

import json
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import transaction_pb2

from ledger.errors import LedgerError, Refused
from ledger.gateway import Gateway
from ledger.gateway.errors import EndorseError
from ledger.identity.msp import Identity
from ledger.network import doctor
from ledger.network.errors import NetworkError
from ledger.network.package import INSTALLED, Package
from tests.chaos.fabric.consortium import RECOVERY, Consortium, Load, name_of, others, quantile, text
from tests.contract.world import HOSPITALS, Patient, World, fresh

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
CORRUPT, VICTIM, *_ = HOSPITALS
HONEST = others(CORRUPT)
Act = tuple[str, str, dict[str, Any], Any]  # role, function, arguments, evidence


def outcome(door: Gateway, function: str, arguments: dict[str, Any], evidence: Any = None) -> str:
    """What the peers make of a transaction that the door's endorsers alone have endorsed: a validation code."""
    return door.contract.proposal(function, arguments, evidence=evidence).endorse().submit().status().name


# endorsing alone


@pytest.mark.parametrize("endorsing", [HOSPITALS[:1], HOSPITALS[:2]])
def test_without_a_majority_nothing_is_written(consortium: Consortium, endorsing: tuple[str, ...]) -> None:
    written = text()
    door = consortium.door(f"{CORRUPT}.steward", endorsing)
    assert outcome(door, "consents:PublishText", written) == "ENDORSEMENT_POLICY_FAILURE"
    consortium.settled()
    for hospital in HOSPITALS:
        assert consortium.evaluate(f"{hospital}.steward", "consents:Text", {"text": written["text"]}) is None


@pytest.mark.parametrize("names", [(CORRUPT, CORRUPT), tuple(HONEST)])
def test_one_authority_cannot_make_a_majority(consortium: Consortium, names: tuple[str, ...]) -> None:
    """Peers that its authority makes up, in its own name or in those of others, count once or not at all."""
    authority = consortium.authority(CORRUPT)
    client = authority.issue("client", ["steward"])
    with consortium.connect(client, [CORRUPT]) as door:
        endorsed = door.contract.proposal("consents:PublishText", text()).endorse()
        prepared = gateway_pb2.PreparedTransaction.FromString(endorsed.bytes)
        payload = common_pb2.Payload.FromString(prepared.envelope.payload)
        transaction = transaction_pb2.Transaction.FromString(payload.data)
        action = transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
        for name in names:
            issued = authority.issue("peer", [], "peer")
            peer = Identity(name, issued.pem, issued.key, issued.ca)
            answer = action.action.proposal_response_payload
            action.action.endorsements.add(endorser=peer.serialized, signature=peer.sign(answer + peer.serialized))
        transaction.actions[0].payload = action.SerializeToString()
        payload.data = transaction.SerializeToString()
        prepared.envelope.payload = payload.SerializeToString()
        signature = client.sign(prepared.envelope.payload)
        forged = door.signed_transaction(prepared.SerializeToString(), signature)
        assert forged.submit().status().name == "ENDORSEMENT_POLICY_FAILURE"


def test_its_authority_cannot_issue_people_of_others(consortium: Consortium) -> None:
    issued = consortium.authority(CORRUPT).issue("steward", ["steward"])
    forged = Identity(VICTIM, issued.pem, issued.key, issued.ca)
    for at in HOSPITALS:
        with consortium.connect(forged, at=at) as door, pytest.raises(EndorseError, match="creator is malformed"):
            door.contract.submit("consents:PublishText", text())


# changed contracts

TRUE = "        ledger = Ledger(stub, pool)\n"
CHANGED = f"        stub.creator = type(stub.creator)({VICTIM!r}, stub.creator.roles, stub.creator.common_name)\n"


@pytest.fixture(scope="module")
def changed(consortium: Consortium, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Contracts that take whoever calls for the victim's."""
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(INSTALLED / "ledger", folder / "ledger", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(INSTALLED / "consent", folder / "consent", ignore=shutil.ignore_patterns("__pycache__"))
    source = folder / "ledger" / "contracts" / "host.py"
    assert source.read_text().count(TRUE) == 1
    source.write_text(source.read_text().replace(TRUE, CHANGED + TRUE))
    return folder


@contextmanager
def deceived(consortium: Consortium, changed: Path) -> Iterator[None]:
    """The corrupt hospital's peer asks its changed contracts; the others' do not."""
    node = consortium.node(CORRUPT)
    (host,) = node.find("host")
    folder = consortium.network.layout.folder(node.organisation) / "host"
    config = json.loads((folder / "host-a.json").read_text())
    lying = folder / "changed.json"
    lying.write_text(json.dumps(config | {"digest": Package.of(changed).digest}))
    consortium.kill([host])
    consortium.run_host(node, changed, lying)
    consortium.called(CORRUPT)
    try:
        yield
    finally:
        consortium.kill([host])
        consortium.restart(CORRUPT)
        consortium.called(CORRUPT)


def test_a_host_does_not_start_with_other_contracts(consortium: Consortium, changed: Path) -> None:
    node = consortium.node(CORRUPT)
    (host,) = node.find("host")
    folder = consortium.network.layout.folder(node.organisation) / "host"
    consortium.kill([host])
    with pytest.raises(NetworkError, match=r"host\.wrong-source"):
        consortium.run_host(node, changed, folder / "host-a.json")
    consortium.restart(CORRUPT)
    consortium.called(CORRUPT)


def test_changed_contracts_are_refused_and_their_hospital_is_named(consortium: Consortium, changed: Path) -> None:
    with deceived(consortium, changed):
        with pytest.raises(EndorseError) as refused:
            consortium.door("DeltaMSP.steward", HOSPITALS).contract.proposal("consents:PublishText", text()).endorse()
        assert all("do not match" in each.message for each in refused.value.details)
        assert odd_one_out([each.organisation for each in refused.value.details]) == CORRUPT
        broken = [each.name for each in doctor.examine(consortium.network) if each.state == "broken"]
        assert broken == [f"{name_of(CORRUPT)}.answers"]
        for hospital in HONEST:  # a peer that plans for itself does without it
            consortium.door(f"{hospital}.steward").contract.submit("consents:PublishText", text())


def odd_one_out(named: list[str]) -> str:
    """The hospital whose result is its own: a gateway names those that differ from whoever answered first."""
    (odd,) = named if len(named) == 1 else set(HOSPITALS).difference(named)
    return odd


def a_consent(world: World) -> Act:
    grant = Patient(VICTIM).grant()
    return "registrar", "consents:Record", {"grant": grant.sealed()}, grant.evidence()


def a_withdrawal(world: World) -> Act:
    grant = Patient(VICTIM).grant()
    world.record(grant)
    return "registrar", "consents:WithdrawByRegistrar", {"commitment": grant.commitment}, None


def a_vote(world: World) -> Act:
    proposal = world.propose({"kind": "declare-disjoint", "hospitals": list(HONEST)})
    world.vote(CORRUPT, proposal)
    arguments = {"proposal": proposal["proposal"], "digest": proposal["digest"], "choice": "no"}
    return "steward", "governance:Vote", arguments, None


def a_spend(world: World) -> Act:
    study = world.approved((VICTIM, "DeltaMSP"))
    world.fixed(study, 1)
    arguments = {"study": study["study"], "round": 1, "attempt": 1, "update": fresh()}
    return "site", "studies:Update", arguments, None


ACTS = {
    a_consent: "consents.wrong-hospital",
    a_withdrawal: "consents.wrong-hospital",
    a_vote: "governance.known-differently",
    a_spend: "studies.not-in-round",
}


@pytest.mark.parametrize("act", ACTS)
def test_it_cannot_act_for_another_hospital(
    consortium: Consortium, world: World, changed: Path, act: Callable[[World], Act]
) -> None:
    """Its own changed contracts say yes, and that is one hospital's word; honest ones refuse."""
    role, function, arguments, evidence = act(world)
    with deceived(consortium, changed):
        alone = consortium.door(f"{CORRUPT}.{role}", [CORRUPT])
        assert outcome(alone, function, arguments, evidence) == "ENDORSEMENT_POLICY_FAILURE"
        with pytest.raises(Refused) as refused:
            consortium.door(f"{CORRUPT}.{role}", HONEST).contract.submit(function, arguments, evidence=evidence)
        assert refused.value.code == ACTS[act]
        with pytest.raises(LedgerError):
            consortium.door(f"{CORRUPT}.{role}", HOSPITALS).contract.submit(function, arguments, evidence=evidence)


# its orderer


@pytest.mark.parametrize("how", ["stopped", "slowed", "cut-off"])
def test_its_orderer_leads_and_does_not_work(consortium: Consortium, how: str) -> None:
    with Load(consortium) as load:
        load.back(HOSPITALS, time.monotonic())
        leader = consortium.leader()
        began = time.monotonic()
        with misbehaving(consortium, leader, how):
            took = load.back(others(leader), began, 3 * RECOVERY)
            time.sleep(5)
            again = load.back(others(leader), time.monotonic(), 3 * RECOVERY)
        ended = time.monotonic()
        own = load.back(HOSPITALS, ended, 3 * RECOVERY)
        print(f"{how}: others after {took:.1f} s, later {again:.1f} s; {leader} itself {own:.1f} s after its end")
        print(f"rejoined after {consortium.rejoined(leader):.1f} s; {consortium.leader()} leads")
    consortium.settled()


class misbehaving:  # noqa: N801  # reads as what it is: with misbehaving(...)
    """A hospital's orderer stopped, slowed to a tenth, or its whole hospital cut off, until the end."""

    def __init__(self, consortium: Consortium, hospital: str, how: str) -> None:
        self._consortium, self._hospital, self._how = consortium, hospital, how
        self._orderer, self._over = consortium.node(hospital).orderer, threading.Event()
        self._pulses = threading.Thread(target=self._pulse)

    def __enter__(self) -> None:
        if self._how == "stopped":
            self._orderer.signal(signal.SIGSTOP)
        elif self._how == "slowed":
            self._pulses.start()
        else:
            self._consortium.unplug(self._hospital)

    def __exit__(self, *error: object) -> None:
        self._over.set()
        if self._how == "slowed":
            self._pulses.join()
        elif self._how == "cut-off":
            self._consortium.plug(self._hospital)
        self._orderer.signal(signal.SIGCONT)

    def _pulse(self) -> None:
        while not self._over.is_set():
            self._orderer.signal(signal.SIGSTOP)
            self._over.wait(0.9)
            self._orderer.signal(signal.SIGCONT)
            self._over.wait(0.1)


# a flood


def test_it_floods_and_the_others_still_commit(consortium: Consortium) -> None:
    seconds = 8.0
    with Load(consortium, HONEST) as calm:
        time.sleep(seconds)
    with Load(consortium, [CORRUPT], writers=48) as flood, Load(consortium, HONEST) as load:
        began = time.monotonic()
        time.sleep(seconds)
        load.back(HONEST, began)
    quiet, loud = ([one for each in HONEST for one in run.seconds[each]] for run in (calm, load))
    print(
        f"others {len(quiet) / seconds:.0f} tx/s, median {median(quiet):.2f} s; under a flood of "
        f"{len(flood.confirmed) / seconds:.0f} tx/s {len(loud) / seconds:.0f} tx/s, median {median(loud):.2f} s, "
        f"p95 {quantile(loud, 0.95):.2f} s"
    )
    assert max(loud) < RECOVERY
    consortium.settled()
