"""One short life of a real network: a founding, consents, lost races, what nobody endorsed, a fifth hospital, other
contract code. Then it is taken down.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import proposal_pb2

from consent.encoding import to_base64url
from consent.receipt import LedgerHead, build_receipt
from ledger import gateway
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity
from ledger.network import lifecycle, membership
from ledger.network.network import Network
from ledger.network.package import INSTALLED, Package
from ledger.network.plan import Member
from ledger.protocol import proposal
from ledger.protocol.exact import serialise
from ledger.verify import export, framing
from tests.contract.world import ROLES, Patient
from tests.functional.verify.chain import Recorded
from tests.support import fabric
from tests.unit.consent import examples
from tests.unit.ledger.verify.forge import HOSPITALS, INSTITUTE

NEWCOMER = Member("newcomer", "NewcomerMSP")


class Traffic:
    """What clients do on `network`."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.odd: dict[str, int] = {}

    def door(self, role: str, msp: str = HOSPITALS[0], endorsing: tuple[str, ...] = ()) -> gateway.Gateway:
        return fabric.connect(self.network, msp, self.client(role, msp), endorsing)

    def client(self, role: str, msp: str = HOSPITALS[0]) -> Identity:
        organisation = next(each for each in self.network.plan.organisations if each.msp == msp)
        return Authority.load(self.network.layout.folder(organisation) / "ca").issue(f"{role}.{msp}", [role])

    def found(self) -> None:
        kinds = [*((msp, "hospital") for msp in HOSPITALS), (INSTITUTE, "institute")]
        named = [{"msp": msp, "name": msp, "kind": kind, "roles": ROLES[kind], "origins": []} for msp, kind in kinds]
        with self.door("steward") as door:
            door.contract.submit("members:Found", {"organisations": named})
            text = {"text": "heart-2026.1", "digests": {"en": "00" * 32}, "presets": ["heart-disease"]}
            door.contract.submit("consents:PublishText", text)

    def record(self, count: int) -> None:
        with self.door("registrar") as door:
            for signed in [Patient(HOSPITALS[0]).grant() for _ in range(count)]:
                door.contract.submit("consents:Record", {"grant": signed.sealed()}, evidence=signed.evidence())

    def race(self) -> None:
        """Three withdrawals of one consent, endorsed before any is ordered: two lose."""
        with self.door("registrar") as door:
            signed = Patient(HOSPITALS[0]).grant()
            done = door.contract.submit("consents:Record", {"grant": signed.sealed()}, evidence=signed.evidence())
            self.everyone_holds(done.block)
            asked = ("consents:WithdrawByRegistrar", {"commitment": signed.commitment})
            endorsed = [each.endorse() for each in [door.contract.proposal(*asked) for _ in range(3)]]
            states = [each.status() for each in [one.submit() for one in endorsed]]
        assert sorted(each.name for each in states)[0].startswith("MVCC") and sum(each.valid for each in states) == 1

    def everyone_holds(self, block: int) -> None:
        """Wait until every hospital's peer has `block`: endorsing step by step, one behind would refuse."""
        deadline = time.monotonic() + 60
        for hospital in self.network.plan.hospitals:
            with self.door("auditor", hospital.msp) as door:
                while door.head().height <= block:
                    assert time.monotonic() < deadline, f"{hospital.msp} has no block {block}"
                    time.sleep(0.05)

    def alone(self) -> None:
        """Ordered with the endorsement of one hospital alone."""
        signed = Patient(HOSPITALS[0]).grant()
        with self.door("registrar", endorsing=(HOSPITALS[0],)) as door:
            asked = door.contract.proposal("consents:Record", {"grant": signed.sealed()}, evidence=signed.evidence())
            status = asked.endorse().submit().status()
        assert status.name == "ENDORSEMENT_POLICY_FAILURE"
        self.odd["alone"] = status.block

    def garbage(self) -> None:
        """A client of a member has something ordered that is no transaction."""
        who = self.client("registrar")
        asked = proposal.build(
            channel="covenant",
            chaincode="covenant",
            args=[b"consents:Record", b"{}"],
            creator=who.serialized,
            nonce=os.urandom(24),
            seconds=int(time.time()),
        )
        header = common_pb2.Header.FromString(proposal_pb2.Proposal.FromString(asked).header)
        payload = serialise(common_pb2.Payload(header=header, data=b"\xff this is not what it says"))
        tx_id = proposal.open_proposal(asked).heading.tx_id
        prepared = gateway_pb2.PreparedTransaction(transaction_id=tx_id, envelope={"payload": payload})
        with self.door("registrar") as door:
            status = door.signed_transaction(serialise(prepared), who.sign(payload)).submit().status()
        assert not status.valid
        self.odd["garbage"] = status.block

    def receipt(self, path: Path) -> Path:
        """The example patient's consent recorded, and what she is given for it."""
        patient = examples.Patient()
        evidence, statement = patient.grant(), patient.statement(patient.details())
        public = ("hospital", "text", "preset", "valid_from", "valid_until")
        sealed = {name: getattr(statement, name) for name in public}
        grant = {"commitment": evidence.commitment.hex(), "attestation": "portal-key", **sealed}
        shown = {name: to_base64url(getattr(evidence, name)) for name in ("statement", "key", "signature")}
        with self.door("registrar") as door:
            done = door.contract.submit("consents:Record", {"grant": grant}, evidence=shown)
            head = door.head()
        at = LedgerHead(height=head.height, header_hash=head.hash.hex())
        receipt = build_receipt(
            evidence, patient.details(), secret=patient.secret, code=patient.code, tx_id=done.tx_id, head=at
        )
        path.write_bytes(receipt.to_bytes())
        return path

    @property
    def height(self) -> int:
        with self.door("auditor") as door:
            return door.head().height


def upgraded(folder: Path) -> Path:
    """The contracts with another version's name: other code by its digest, which does the same."""
    for name in ("ledger", "consent"):
        shutil.copytree(INSTALLED / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    source = folder / "ledger" / "contracts" / "host.py"
    source.write_text(source.read_text().replace('VERSION = "', 'VERSION = "9'))
    return folder


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    fabric.require()
    folder = tmp_path_factory.mktemp("verify")
    with fabric.running(folder / "network", HOSPITALS, [INSTITUTE]) as founded:
        traffic = Traffic(founded)
        traffic.found()
        traffic.record(4)
        traffic.race()
        traffic.alone()
        traffic.garbage()
        receipt = traffic.receipt(folder / "receipt.json")
        before = traffic.height
        traffic.network = membership.join(founded, NEWCOMER)
        traffic.race()
        network = lifecycle.deploy(traffic.network, Package.of(upgraded(folder / "source")))
        traffic.network = network
        traffic.race()
        for msp, name in ((HOSPITALS[0], "one"), (HOSPITALS[1], "two")):
            with traffic.door("auditor", msp) as door:
                export(door, folder / name)
        layout = network.layout
        orderers = {
            each.consenter: Identity.load(layout.folder(each) / "orderer" / "msp") for each in network.plan.hospitals
        }
        admins = {each.msp: Identity.load(layout.admin(each)) for each in network.plan.organisations}
    blocks = tuple(framing.read(folder / "one"))
    return Recorded(blocks, folder / "two", orderers, admins, before, traffic.odd, receipt)
