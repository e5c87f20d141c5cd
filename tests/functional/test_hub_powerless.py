"""Whoever holds the hub, with all its keys and its certificate authority too, gets nothing that hospitals decide.

Every function of the ledger that is not the hub's is tried by every such attacker, at a moment when the hospital itself
could do it, and then done by the hospital. Nothing that an attacker sends is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import grpc
import msgspec
import pytest
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2_grpc
from fabric_protos.peer import transaction_pb2

from consent import duo
from consent.purpose import Asking, Purpose
from ledger.contracts.functions import Role
from ledger.contracts.host import FUNCTIONS
from ledger.contracts.sealed import batched
from ledger.embedded.create import create
from ledger.embedded.process import Process
from ledger.errors import LedgerError, Refused
from ledger.gateway import Gateway, connect
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity
from tests.contract.conftest import GatewayLedger, at
from tests.contract.world import HOSPITALS, INSTITUTE, PURPOSE, Patient, World, digest, fresh, organisations, uuid
from tests.unit.ledger.embedded.wire import Wire

ALPHA, BETA = PAIR = HOSPITALS[:2]
HUBS_OWN = frozenset({Role.RESEARCHER, Role.RUNNER, Role.AUDITOR})
EVERY_ROLE = [str(role) for role in Role]


class Act(NamedTuple):
    """What a hospital does now and then: as `who` ("<msp>.<role>"), with everything it would send."""

    who: str
    arguments: dict[str, Any]
    evidence: Any = None


class Field(NamedTuple):
    """A founded consortium, its ledger's process, and its authorities' keys."""

    world: World
    process: Process
    authorities: dict[str, Authority]


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    directory = tmp_path_factory.mktemp("powerless") / "ledger"
    authorities = {msp: Authority.create(msp, f"ca.{msp}") for msp in (*HOSPITALS, INSTITUTE)}
    create(directory, authorities, HOSPITALS, [INSTITUTE])
    with Process.start(directory) as process:
        ledger = GatewayLedger(at(process), authorities)
        world = World(ledger)
        world.found()
        yield Field(world, process, authorities)
        ledger.close()


@pytest.fixture(scope="module")
def attackers(field: Field) -> Iterator[dict[str, tuple[Gateway, str]]]:
    """Connections of everybody who can be made from the hub's keys, with the code that each must be refused with."""
    hub = field.authorities[INSTITUTE]
    renamed = Authority(ALPHA, hub.certificate, hub.key)  # the hub's authority, writing the hospital's name
    invented = Authority.create(ALPHA, f"ca.{ALPHA}")  # another key under the very name of the hospital's authority
    claims = hub.issue("steward", EVERY_ROLE)
    made: dict[str, tuple[Identity, str]] = {
        **{f"its own {role}": (hub.issue(role, [role]), "role.missing") for role in sorted(HUBS_OWN)},
        "its own, all roles in one": (hub.issue("all", sorted(HUBS_OWN)), "role.missing"),
        "a certificate that claims every role": (claims, "role.missing"),
        "an administrator's with every role": (hub.issue("admin", EVERY_ROLE, "admin"), "role.missing"),
        "a certificate shown as the hospital's": (replace(claims, msp_id=ALPHA), "identity.foreign-ca"),
        "one that names the hospital": (renamed.issue("steward", EVERY_ROLE), "identity.foreign-ca"),
        "one of an invented authority": (invented.issue("steward", EVERY_ROLE), "identity.foreign-ca"),
    }
    doors = {
        name: (connect(field.process.address, field.process.tls_ca, who), code) for name, (who, code) in made.items()
    }
    yield doors
    for door, _ in doors.values():
        door.close()


# One scene a function: what must have happened before, and what the hospital then sends.


def found(world: World) -> Act:
    return Act(f"{ALPHA}.steward", {"organisations": organisations()})


def propose(world: World) -> Act:
    grown = {**organisations()[-1], "roles": ["auditor"]}
    action = {"kind": "set-organisation", "organisation": grown}
    return Act(f"{ALPHA}.steward", {"proposal": uuid(), "action": action, "deadline": world.ledger.now + 3600})


def vote(world: World) -> Act:
    proposal = world.propose({"kind": "set-cap", "hospital": ALPHA, "cap": "8"})
    named = {"proposal": proposal["proposal"], "digest": proposal["digest"], "choice": "yes"}
    return Act(f"{ALPHA}.steward", named)


def execute(world: World) -> Act:
    """All votes but the execution: even what a majority wants, the hub does not bring about."""
    proposal = world.propose({"kind": "set-cap", "hospital": ALPHA, "cap": "8"})
    for hospital in HOSPITALS:
        world.vote(hospital, proposal)
    return Act(f"{ALPHA}.steward", {"proposal": proposal["proposal"]})


def publish_text(world: World) -> Act:
    name = f"text-{uuid()[:8]}"
    return Act(f"{ALPHA}.steward", {"text": name, "digests": {"en": digest(name)}, "presets": ["heart-disease"]})


def record(world: World) -> Act:
    signed = Patient().grant()
    return Act(f"{ALPHA}.registrar", {"grant": signed.sealed()}, signed.evidence())


def record_batch(world: World) -> Act:
    signed = sorted((Patient().grant() for _ in range(3)), key=lambda one: one.commitment)
    arguments = batched(one.sealed() for one in signed)
    return Act(f"{ALPHA}.registrar", arguments, [one.evidence() for one in signed])


def rekey(world: World) -> Act:
    signed = Patient().grant()
    world.record(signed)
    return Act(f"{ALPHA}.registrar", {"commitment": signed.commitment, "replacement": digest("a new key")})


def acknowledge(world: World) -> Act:
    signed = Patient().grant()
    world.record(signed)
    gone = {"commitment": signed.commitment}
    world.ledger.submit(f"{ALPHA}.registrar", "consents:WithdrawByRegistrar", gone)
    return Act(f"{BETA}.site", {"commitments": [signed.commitment]})


def withdraw_by_registrar(world: World) -> Act:
    return Act(f"{ALPHA}.registrar", {"commitment": world.record(Patient().grant())["commitment"]})


def register(world: World) -> Act:
    return Act(f"{ALPHA}.steward", world.dataset())


def retire(world: World) -> Act:
    return Act(f"{ALPHA}.steward", wanted(world.register()))


def open_account(world: World) -> Act:
    return Act(f"{ALPHA}.steward", {"cap": "8", "delta": "0.0001"})


def answer(world: World) -> Act:
    purpose = Purpose.of("DUO:0000007", ["MONDO:0005010"], commercial=False, for_profit=False)
    asked = {**wanted(world.register()), "purpose": purpose}
    inquiry = world.ledger.submit(f"{INSTITUTE}.researcher", "access:Inquire", asked)
    named = {name: inquiry[name] for name in ("dataset", "version", "purpose_digest", "month")}
    return Act(f"{ALPHA}.site", {**named, "sigma": "20", "answer": 117})


def decide(world: World) -> Act:
    dataset = world.register()
    request = world.request([dataset])
    verdict = {"verdict": "permit", "until": request["until"], "reason": digest("reason")}
    return Act(f"{ALPHA}.steward", {"request": request["request"], **wanted(dataset), **verdict})


def revoke(world: World) -> Act:
    request, (dataset, _) = world.entitled(PAIR)
    return Act(f"{ALPHA}.steward", {"request": request["request"], **wanted(dataset)})


def approve(world: World) -> Act:
    study = world.propose_study(world.plan(PAIR, rounds=1))
    return Act(f"{ALPHA}.steward", {"study": study["study"], "plan_digest": study["plan_digest"]})


def pause(world: World) -> Act:
    return Act(f"{ALPHA}.steward", {"paused": False})


def commit(world: World) -> Act:
    study = world.approved(PAIR, rounds=1)
    world.open(study, 1)
    source = next(one for one in study["plan"]["datasets"] if one["dataset"].startswith(f"{ALPHA}/"))
    cohort = {"root": fresh(), "bucket": "50-99", "declined": False}
    return Act(f"{ALPHA}.site", {**attempt(study, 1), **wanted(source), **cohort})


def update(world: World) -> Act:
    study = world.approved(PAIR, rounds=1)
    world.fixed(study, 1)
    return Act(f"{ALPHA}.site", {**attempt(study, 1), "update": fresh()})


def measure(world: World) -> Act:
    study = world.approved(PAIR, rounds=1)
    world.trained(study, 1)
    world.fixed(study, 2)
    return Act(f"{ALPHA}.site", {**attempt(study, 2), "correct": 31, "total": 40})


def confirm(world: World) -> Act:
    study = world.approved(PAIR, rounds=1)
    return Act(f"{ALPHA}.site", {"study": study["study"], "model": world.finished(study), "certificate": "cc" * 32})


def receive(world: World) -> Act:
    asking = Asking(accepts=(duo.RTN,))
    study = world.approved(PAIR, rounds=1, purpose=msgspec.structs.replace(PURPOSE, asking=asking))
    world.trained(study, 1)
    stop = {"study": study["study"], "reason": "sponsor.concern"}
    world.ledger.submit(f"{INSTITUTE}.researcher", "studies:Stop", stop)
    return Act(f"{ALPHA}.steward", {"study": study["study"], "results": digest("results")})


def release_budget(world: World) -> Act:
    study = world.approved(PAIR, rounds=1)
    stop = {"study": study["study"], "reason": "sponsor.concern"}
    world.ledger.submit(f"{INSTITUTE}.researcher", "studies:Stop", stop)
    return Act(f"{ALPHA}.steward", {"study": study["study"]})


def wanted(dataset: Any) -> dict[str, Any]:
    return {"dataset": dataset["dataset"], "version": dataset["version"]}


def attempt(study: Any, number: int) -> dict[str, Any]:
    return {"study": study["study"], "round": number, "attempt": 1}


SCENES: dict[str, Callable[[World], Act]] = {
    "members:Found": found,
    "governance:Propose": propose,
    "governance:Vote": vote,
    "governance:Execute": execute,
    "consents:PublishText": publish_text,
    "consents:Record": record,
    "consents:RecordBatch": record_batch,
    "consents:WithdrawByRegistrar": withdraw_by_registrar,
    "consents:Rekey": rekey,
    "consents:Acknowledge": acknowledge,
    "catalogue:Register": register,
    "catalogue:Retire": retire,
    "budget:Open": open_account,
    "budget:Answer": answer,
    "budget:Release": release_budget,
    "access:Decide": decide,
    "access:Revoke": revoke,
    "studies:Approve": approve,
    "studies:Pause": pause,
    "studies:Commit": commit,
    "studies:Update": update,
    "studies:Measure": measure,
    "studies:Confirm": confirm,
    "studies:Receive": receive,
}


def test_every_function_that_is_not_the_hubs_has_a_scene() -> None:
    writing = {name: function.terms for name, function in FUNCTIONS.items() if function.terms.event is not None}
    assert SCENES.keys() == {name for name, terms in writing.items() if HUBS_OWN.isdisjoint(terms.roles)}


@pytest.mark.parametrize("function", SCENES)
def test_no_key_of_the_hub_does_what_a_hospital_does(
    field: Field, attackers: dict[str, tuple[Gateway, str]], function: str
) -> None:
    act = SCENES[function](field.world)
    before = field.world.ledger.mark()
    for name, (door, code) in attackers.items():
        with pytest.raises(LedgerError) as refusal:
            door.contract.submit(function, act.arguments, evidence=act.evidence)
        assert refusal.value.code == code, f"{name}: {refusal.value}"
    assert field.world.ledger.mark() == before, "an attacker wrote something"
    field.world.ledger.submit(act.who, function, act.arguments, act.evidence)  # the hospital can, then and there


def test_the_hub_withdraws_nobodys_consent(field: Field, attackers: dict[str, tuple[Gateway, str]]) -> None:
    """Any member may bring a patient's withdrawal; knowing the grant is not enough to make one."""
    signed, stranger = Patient().grant(), Patient()
    field.world.record(signed)
    door, _ = attackers["its own, all roles in one"]
    before = field.world.ledger.mark()
    forged = {
        "signature": signed.withdrawal(signature=stranger.grant().signature),
        "code": signed.withdrawal(code=stranger.code),
    }
    for by, evidence in forged.items():
        with pytest.raises(Refused, match=r"consents\.withdrawal-invalid"):
            door.contract.submit("consents:Withdraw", {"commitment": signed.commitment, "by": by}, evidence=evidence)
    assert field.world.ledger.mark() == before


@pytest.mark.parametrize(("shown_as", "code"), [(ALPHA, "identity.foreign-ca"), (INSTITUTE, "endorsement.policy")])
def test_the_hubs_authority_endorses_nothing(field: Field, shown_as: str, code: str) -> None:
    """A transaction whose endorsements all come from peers that the hub's authority made up, as whosesoever."""
    hub = field.authorities[INSTITUTE]
    credentials = grpc.ssl_channel_credentials(field.process.tls_ca)
    with grpc.secure_channel(field.process.address, credentials) as channel:
        wire = Wire(gateway_pb2_grpc.GatewayStub(channel), hub.issue("researcher", ["researcher"]))
        asked = {**wanted(field.world.register()), "purpose": PURPOSE}
        tx_id, signed = wire.propose("access:Inquire", asked)
        envelope = wire.endorse(tx_id, signed)
        before = field.world.ledger.mark()
        names = [shown_as] if shown_as == INSTITUTE else HOSPITALS
        peers = [replace(hub.issue(f"peer.{name}", ["peer"], "peer"), msp_id=name) for name in names]
        with pytest.raises(grpc.RpcError, match=code):
            wire.submit(tx_id, wire.seal(endorsed_by(envelope.payload, peers)))
    assert field.world.ledger.mark() == before


def endorsed_by(payload: bytes, peers: list[Identity]) -> bytes:
    """The transaction in an envelope's `payload`, with endorsements of `peers` instead of the hospitals'."""
    opened = common_pb2.Payload.FromString(payload)
    transaction = transaction_pb2.Transaction.FromString(opened.data)
    action = transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
    response = action.action.proposal_response_payload
    del action.action.endorsements[:]
    for peer in peers:
        signature = peer.sign(response + peer.serialized)
        action.action.endorsements.add(endorser=peer.serialized, signature=signature)
    transaction.actions[0].payload = action.SerializeToString()
    opened.data = transaction.SerializeToString()
    return opened.SerializeToString()
