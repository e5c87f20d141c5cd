"""An operator who holds every key of a consortium: honest by default, and able to write anything at all.

The verifier must accept what it writes honestly and find every lie, so the tests bend one step at a time. It writes
with the real protocol, identities and contracts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from consent import canonical, grant
from consent.encoding import to_base64url
from consent.keys import public_bytes
from ledger.contracts import host
from ledger.contracts.stub import Creator
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity
from ledger.identity.validation import Validator
from ledger.protocol import block, envelope, genesis, proposal, rwset
from ledger.protocol.envelope import Event
from ledger.verify import framing
from ledger.verify.state import State

HOSPITALS = ("ClevelandMSP", "HungaryMSP", "SwitzerlandMSP", "VaMSP")
INSTITUTE = "InstituteMSP"
VERSION = host.source_digest()


class Stub:
    """A contract's view of the forge's state, with the evidence at hand."""

    replaying = False

    def __init__(
        self,
        heading: proposal.Heading,
        creator: Creator,
        state: State,
        evidence: bytes | None,
        hospitals: tuple[str, ...] = HOSPITALS,
    ) -> None:
        self.hospitals = hospitals
        self.channel, self.tx_id, self.now, self.creator = heading.channel, heading.tx_id, heading.seconds, creator
        self.reads: dict[str, rwset.Version | None] = {}
        self.writes: dict[str, bytes | None] = {}
        self.announced: Event | None = None
        self._state, self._evidence = state, evidence

    def get(self, key: str) -> bytes | None:
        self.reads[key] = self._state.version(key)
        return self._state.value(key)

    def expect(self, keys: Sequence[str]) -> None:
        """Nothing is fetched: the state is at hand."""

    def put(self, key: str, value: bytes) -> None:
        self.writes[key] = value

    def delete(self, key: str) -> None:
        self.writes[key] = None

    def range(self, start: str, end: str) -> Any:
        raise RuntimeError("no ranges in a write")

    def event(self, name: str) -> None:
        self.announced = Event(name, b"")

    def evidence(self) -> bytes | None:
        return self._evidence


@dataclass
class Act:
    """What a contract did, for a test to change before it is endorsed."""

    reads: dict[str, rwset.Version | None]
    writes: dict[str, bytes | None]
    event: Event | None
    response: bytes
    version: str


Bend = Callable[[Act], None]


@dataclass
class Forge:
    """A consortium of `hospitals` and an institute, and its chain so far (`blocks`). `at`: when its keys were made."""

    seed: int = 1
    channel: str = "covenant"
    blocks: list[bytes] = field(default_factory=list)
    hospitals: tuple[str, ...] = HOSPITALS
    institute_roles: tuple[str, ...] = ("researcher",)
    at: datetime | None = None

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.authorities = {
            name: Authority.create(name, f"ca.{name}", now=self.at) for name in (*self.hospitals, INSTITUTE)
        }
        self.orderers = Authority.create("OrdererMSP", "ca.orderer", now=self.at)
        self.orderer = self.orderers.issue("orderer0", ou="orderer", not_before=self.at)
        self.peers = [
            self.authorities[name].issue(f"peer0.{name}", ["peer"], "peer", not_before=self.at)
            for name in self.hospitals
        ]
        self.clients = {
            (name, role): authority.issue(f"{role}.{name}", [role], not_before=self.at)
            for name, authority in self.authorities.items()
            for role in (self.institute_roles if name == INSTITUTE else ("registrar", "steward", "site"))
        }
        self.now = int(self.peers[0].certificate.not_valid_before_utc.timestamp()) + 7200
        self.state = State()
        self.blocks.append(
            genesis.build(
                channel=self.channel,
                hospitals=[self.authorities[name].msp for name in self.hospitals],
                institutes=[self.authorities[INSTITUTE].msp],
                orderer=self.orderers.msp,
                seconds=self.now,
                nonce=self.random.randbytes(24),
            )
        )
        self.genesis = sha256(self.blocks[0]).hexdigest()
        self.hash = block.open_block(self.blocks[0]).hash
        self.validator = Validator(genesis.read(self.blocks[0]).organisations)

    def client(self, role: str, msp: str = HOSPITALS[0]) -> Identity:
        return self.clients[msp, role]

    def transact(
        self,
        client: Identity,
        function: str,
        arguments: object,
        evidence: object = None,
        *,
        bend: Bend | None = None,
        endorsers: Sequence[Identity] | None = None,
        seconds: int | None = None,
        nonce: bytes | None = None,
    ) -> bytes:
        """One endorsed and signed envelope over the state as it stands; `bend` changes what was done before signing."""
        self.now += 1
        data = proposal.build(
            channel=self.channel,
            chaincode="covenant",
            args=[function.encode(), canonical.encode(arguments)],
            creator=client.serialized,
            nonce=nonce or self.random.randbytes(24),
            seconds=seconds or self.now,
        )
        opened = proposal.open_proposal(data)
        creator = self.validator.member(client.serialized, self.now).creator
        stub = Stub(
            opened.heading,
            creator,
            self.state,
            None if evidence is None else canonical.encode(evidence),
            self.hospitals,
        )
        response = host.invoke(stub, list(opened.args))
        act = Act(stub.reads, stub.writes, stub.announced, response, VERSION)
        if bend is not None:
            bend(act)
        endorsed = envelope.endorsed_bytes(
            opened, rwset.build("covenant", act.reads, act.writes), act.response, act.event, act.version
        )
        endorsements = [
            envelope.Endorsement(each.serialized, each.sign(endorsed + each.serialized))
            for each in (self.peers[: len(self.peers) // 2 + 1] if endorsers is None else endorsers)
        ]
        payload = envelope.assemble(opened, endorsed, endorsements)
        return envelope.seal(payload, client.sign(payload))

    def seal(
        self, *envelopes: bytes, flags: bytes | None = None, signer: Identity | None = None, **header: Any
    ) -> bytes:
        """Order `envelopes` into the next block, with the honest verdicts unless told; the block's bytes."""
        verdicts = self._commit(envelopes)
        return self.put(envelopes, verdicts if flags is None else flags, signer, **header)

    def put(self, envelopes: Sequence[bytes], verdicts: bytes, signer: Identity | None = None, **header: Any) -> bytes:
        """Whatever `envelopes` are, hash, sign and chain them as the next block."""
        number = header.get("number", len(self.blocks))
        previous = header.get("previous_hash", self.hash)
        opened = block.open_block(block.build(number, previous, envelopes, verdicts, []))
        orderer = signer or self.orderer
        shown = block.OrdererSignature(_signature_header(orderer, self.random.randbytes(24)), b"")
        signature = replace(shown, signature=orderer.sign(opened.signed_bytes(shown)))
        data = block.build(number, previous, envelopes, verdicts, [] if header.get("unsigned") else [signature])
        self.blocks.append(data)
        self.hash = opened.hash
        return data

    def write(self, path: Path) -> Path:
        framing.write(path, self.blocks)
        return path

    def _commit(self, envelopes: Sequence[bytes]) -> bytes:
        codes = bytearray()
        for place, data in enumerate(envelopes):
            done = envelope.open_envelope(data).rwset
            codes.append(rwset.conflict(done, self.state.version, self.state.scan))
            for key, value in done.writes if codes[-1] == 0 else ():
                self.state.write(key, value, (len(self.blocks), place))
        return bytes(codes)

    # what a consortium does

    def found(self, **options: Any) -> bytes:
        roles = ["peer", "registrar", "site", "steward"]
        organisations = [
            {"msp": name, "name": name, "kind": "hospital", "roles": roles, "origins": []} for name in HOSPITALS
        ]
        organisations.append(
            {"msp": INSTITUTE, "name": INSTITUTE, "kind": "institute", "roles": ["researcher"], "origins": []}
        )
        return self.transact(self.client("steward"), "members:Found", {"organisations": organisations}, **options)

    def publish(self, **options: Any) -> bytes:
        text = {"text": "heart-2026.1", "digests": {"en": "00" * 32}, "presets": ["heart-disease"]}
        return self.transact(self.client("steward"), "consents:PublishText", text, **options)

    def grant(self) -> tuple[dict[str, Any], dict[str, str]]:
        """A new patient's sealed grant for the first hospital, and its evidence."""
        key = ec.derive_private_key(self.random.getrandbits(250) + 1, ec.SECP256R1())
        statement = grant.Statement(
            channel=self.channel,
            hospital=HOSPITALS[0],
            key_digest=sha256(public_bytes(key)).hexdigest(),
            text="heart-2026.1",
            preset="heart-disease",
            valid_from="2026-01",
            valid_until="2036-12",
            withdrawal_code_digest=self.random.randbytes(32).hex(),
            details_digest=self.random.randbytes(32).hex(),
            nonce=self.random.randbytes(32).hex(),
        )
        message = grant.statement_bytes(statement)
        sealed = {
            "commitment": grant.commitment(message, public_bytes(key)).hex(),
            "hospital": HOSPITALS[0],
            "text": "heart-2026.1",
            "preset": "heart-disease",
            "valid_from": "2026-01",
            "valid_until": "2036-12",
            "attestation": "portal-key",
        }
        evidence = {
            "statement": to_base64url(message),
            "key": to_base64url(public_bytes(key)),
            "signature": to_base64url(grant.keys.sign(key, message)),
        }
        return sealed, evidence

    def record(self, **options: Any) -> bytes:
        sealed, evidence = self.grant()
        return self.transact(self.client("registrar"), "consents:Record", {"grant": sealed}, evidence, **options)


def _signature_header(identity: Identity, nonce: bytes) -> bytes:
    from fabric_protos.common import common_pb2

    return common_pb2.SignatureHeader(creator=identity.serialized, nonce=nonce).SerializeToString(deterministic=True)


def small_ledger(seed: int = 1) -> Forge:
    """Seven blocks: the founding, a text, grants singly and in pairs, a withdrawal, a lost race."""
    forge = Forge(seed)
    forge.seal(forge.found())
    forge.seal(forge.publish())
    sealed, evidence = forge.grant()
    record = ("consents:Record", {"grant": sealed})
    forge.seal(forge.transact(forge.client("registrar"), *record, evidence), forge.record())
    forge.seal(forge.transact(forge.client("registrar"), *record, evidence))  # the same again: nothing is written
    withdrawal = ("consents:WithdrawByRegistrar", {"commitment": sealed["commitment"]})
    forge.seal(*(forge.transact(forge.client("registrar"), *withdrawal) for _ in range(2)))  # the second loses
    forge.seal(forge.record())
    return forge
