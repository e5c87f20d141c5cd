"""Whatever is not in order is refused with a stable code, before anything is written."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2

from ledger.embedded.create import create
from ledger.gateway import rpc_status
from ledger.identity.ca import Authority
from tests.unit.ledger.embedded.harness import found
from tests.unit.ledger.embedded.wire import Wire


@pytest.fixture
def wire(shared):
    return Wire.to(shared)


def said(call, *arguments) -> tuple[grpc.StatusCode, str]:
    """The status and the node's message of a refused call."""
    with pytest.raises(grpc.RpcError) as refusal:
        call(*arguments)
    packed = dict(refusal.value.trailing_metadata())[rpc_status.METADATA_KEY]
    (detail,) = rpc_status.unpack(packed)
    return refusal.value.code(), detail.message


def code(call, *arguments) -> str:
    return said(call, *arguments)[1].partition(": ")[0]


def head(shared) -> int:
    with shared.connect() as door:
        return door.head().height


@pytest.fixture
def untouched(shared):
    """Nothing that a test does with this reaches the ledger."""
    before = head(shared)
    yield
    assert head(shared) == before


@pytest.mark.usefixtures("untouched")
class TestProposals:
    def test_a_contracts_refusal_comes_as_a_chaincode_response(self, wire):
        status, text = said(wire.endorse, *wire.propose("members:Found", {"organisations": []}))
        assert status is grpc.StatusCode.ABORTED
        assert text.startswith("chaincode response 500, ")
        status, text = said(wire.evaluate, *wire.propose("no:Such", {}))
        assert status is grpc.StatusCode.UNKNOWN
        assert text.startswith("chaincode response 500, function.unknown: ")

    @pytest.mark.parametrize("off", [-3600, -302, 302, 3600])
    def test_a_proposal_from_another_time_is_refused_before_the_contract_runs(self, wire, off):
        proposal = wire.propose("no:Such", {}, seconds=int(time.time()) + off)
        for call in (wire.endorse, wire.evaluate):
            assert code(call, *proposal) == "chaincode response 500, host.clock-skew"

    def test_a_signature_over_something_else(self, wire):
        tx_id, signed = wire.publish("t")
        signed.signature = wire.identity.sign(b"something else")
        assert said(wire.endorse, tx_id, signed)[0] is grpc.StatusCode.PERMISSION_DENIED
        assert code(wire.endorse, tx_id, signed) == "signature.invalid"

    def test_a_certificate_of_a_foreign_authority(self, shared):
        forger = Authority.create("AlphaMSP", "ca.AlphaMSP").issue("steward", ["steward"])
        wire = Wire.to(shared, forger)
        assert code(wire.endorse, *wire.publish("t")) == "identity.foreign-ca"

    def test_an_expired_certificate(self, shared):
        yesterday = datetime.now(UTC) - timedelta(minutes=10)
        late = shared.authorities["AlphaMSP"].issue("late", ["steward"], not_after=yesterday)
        assert code(Wire.to(shared, late).endorse, *Wire.to(shared, late).publish("t")) == "identity.expired"

    def test_an_organisation_outside_the_channel(self, shared):
        stranger = Wire.to(shared, Authority.create("StrangerMSP", "ca").issue("steward", ["steward"]))
        assert code(stranger.endorse, *stranger.publish("t")) == "identity.unknown-organisation"

    def test_a_peer_does_not_propose(self, shared):
        peer = Wire.to(shared, shared.authorities["AlphaMSP"].issue("peer9", ["steward"], "peer"))
        assert code(peer.endorse, *peer.publish("t")) == "identity.not-a-writer"

    def test_a_role_that_the_certificate_does_not_carry(self, shared):
        researcher = Wire.to(shared, "researcher")
        assert code(researcher.endorse, *researcher.publish("t")) == "chaincode response 500, role.missing"

    def test_another_channel_or_chaincode(self, wire):
        tx_id, signed = wire.publish("t", channel="other")
        assert code(wire.endorse, tx_id, signed, "other") == "channel.unknown"
        assert code(wire.endorse, tx_id, signed) == "request.mismatch"
        assert code(wire.endorse, *wire.publish("t", chaincode="other")) == "chaincode.unknown"

    def test_bytes_that_are_no_proposal(self, wire):
        tx_id, signed = wire.publish("t")
        signed.proposal_bytes = b"\x0a\xff"
        status, text = said(wire.endorse, tx_id, signed)
        assert status is grpc.StatusCode.INVALID_ARGUMENT
        assert text.startswith("bytes.malformed: ")

    def test_a_status_is_asked_for_a_transaction_id(self, wire):
        assert code(wire.status, "no id") == "request.transaction-id"


@pytest.mark.usefixtures("untouched")
class TestEnvelopes:
    def test_the_clients_signature_is_checked(self, wire):
        tx_id, signed = wire.publish("t1")
        envelope = wire.endorse(tx_id, signed)
        envelope.signature = wire.identity.sign(b"something else")
        assert code(wire.submit, tx_id, envelope) == "signature.invalid"

    def test_another_clients_signature_is_refused(self, wire, shared):
        tx_id, signed = wire.publish("t2")
        envelope = Wire.to(shared, "beta").seal(wire.endorse(tx_id, signed).payload)
        assert code(wire.submit, tx_id, envelope) == "signature.invalid"

    @pytest.mark.parametrize(("keep", "expected"), [(2, "endorsement.policy"), (0, "endorsement.policy")])
    def test_half_of_the_hospitals_are_no_majority(self, wire, keep, expected):
        tx_id, envelope = self.tampered(wire, lambda endorsements: endorsements[:keep])
        assert code(wire.submit, tx_id, envelope) == expected

    def test_one_endorsement_counts_once(self, wire):
        tx_id, envelope = self.tampered(wire, lambda endorsements: [*endorsements, endorsements[0]])
        assert code(wire.submit, tx_id, envelope) == "endorsement.repeated"

    def test_one_bad_endorsement_refuses_the_whole(self, wire):
        def swap(endorsements):
            endorsements[2].signature = endorsements[1].signature
            return endorsements

        tx_id, envelope = self.tampered(wire, swap)
        assert code(wire.submit, tx_id, envelope) == "signature.invalid"

    def test_a_clients_certificate_does_not_endorse(self, wire):
        def forge(endorsements):
            endorsed = self.endorsed
            for each in endorsements[1:]:
                each.endorser = wire.identity.serialized
                each.signature = wire.identity.sign(endorsed + each.endorser)
            return endorsements[:2]

        tx_id, envelope = self.tampered(wire, forge)
        assert code(wire.submit, tx_id, envelope) == "endorsement.policy"

    def test_a_written_value_cannot_be_changed(self, wire):
        tx_id, signed = wire.publish("t7")
        envelope = wire.seal(wire.endorse(tx_id, signed).payload.replace(b"heart-disease", b"heart-diseasf"))
        assert code(wire.submit, tx_id, envelope) in ("envelope.proposal-hash", "signature.invalid")

    def test_the_request_names_the_envelopes_transaction(self, wire):
        envelope = wire.endorse(*wire.publish("t8"))
        assert code(wire.submit, "00" * 32, envelope) == "request.mismatch"

    def tampered(self, wire, change):
        """A transaction whose endorsements were changed by who signs it."""
        tx_id, signed = wire.publish("t")
        payload = common_pb2.Payload.FromString(wire.endorse(tx_id, signed).payload)
        transaction = transaction_pb2.Transaction.FromString(payload.data)
        action = transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
        self.endorsed = action.action.proposal_response_payload
        changed = change(list(action.action.endorsements))
        kept = [type(each).FromString(each.SerializeToString()) for each in changed]
        del action.action.endorsements[:]
        action.action.endorsements.extend(kept)
        transaction.actions[0].payload = action.SerializeToString()
        payload.data = transaction.SerializeToString()
        return tx_id, wire.seal(payload.SerializeToString())


def test_a_revoked_certificate_is_refused(tmp_path):

    made = found(tmp_path / "one")
    lost = made.authorities["AlphaMSP"].issue("lost", ["steward"])
    made.authorities["AlphaMSP"] = made.authorities["AlphaMSP"].revoke(lost)
    made.directory = tmp_path / "two"
    create(made.directory, made.authorities, list(made.authorities)[:4], ["InstituteMSP"])
    made.start()
    try:
        wire = Wire.to(made, lost)
        assert code(wire.endorse, *wire.publish("t")) == "identity.revoked"
    finally:
        made.stop()
