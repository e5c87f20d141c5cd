"""A proposed call of a contract: to be evaluated (read) or endorsed (the first step of a write)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from hashlib import sha256

from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import proposal_pb2, transaction_pb2
from google.protobuf.message import DecodeError

from ledger.gateway.connection import Connection
from ledger.gateway.errors import EndorseError, EvaluateError
from ledger.gateway.transaction import Transaction
from ledger.protocol import proposal as wire


class Proposal:
    """A ProposedTransaction of Fabric's gateway. Build it with Contract.proposal or Gateway.signed_proposal.

    The transient data (the evidence) is inside `bytes` and goes to the endorsers alone, never into a block.
    """

    def __init__(self, connection: Connection, proposed: gateway_pb2.ProposedTransaction) -> None:
        self._connection = connection
        self._proposed = proposed

    @classmethod
    def build(
        cls, connection: Connection, args: Sequence[bytes], transient: Mapping[str, bytes], timestamp: float
    ) -> Proposal:
        """A new call with a fresh nonce, hence a fresh transaction id. `timestamp`: epoch seconds UTC."""
        creator, nonce = connection.signer.serialized, os.urandom(wire.NONCE_BYTES)
        seconds = int(timestamp)
        data = wire.build(
            channel=connection.channel,
            chaincode=connection.chaincode,
            args=args,
            creator=creator,
            nonce=nonce,
            seconds=seconds,
            nanos=int((timestamp - seconds) * 1e9),
            transient=transient,
        )
        proposed = gateway_pb2.ProposedTransaction(
            transaction_id=wire.transaction_id(nonce, creator),
            proposal=proposal_pb2.SignedProposal(proposal_bytes=data),
            endorsing_organizations=connection.endorsing_organisations,
        )
        return cls(connection, proposed)

    @classmethod
    def rebuild(cls, connection: Connection, data: bytes, signature: bytes) -> Proposal:
        proposed = gateway_pb2.ProposedTransaction.FromString(data)
        proposed.proposal.signature = signature
        return cls(connection, proposed)

    @property
    def tx_id(self) -> str:
        return str(self._proposed.transaction_id)

    @property
    def digest(self) -> bytes:
        """What the signature is over: SHA-256 of the proposal's bytes, 32 bytes."""
        return sha256(self._proposed.proposal.proposal_bytes).digest()

    def evaluate(self, timeout: float = 30) -> bytes:
        """Ask one peer and return what the contract answers; raises EvaluateError, or the contract's Refused."""
        request = gateway_pb2.EvaluateRequest(
            transaction_id=self.tx_id,
            channel_id=self._connection.channel,
            proposed_transaction=self._signed(),
            target_organizations=self._connection.evaluating_organisations,
        )
        answer = self._connection.call(self._connection.gateway.Evaluate, request, EvaluateError, self.tx_id, timeout)
        return bytes(answer.result.payload)

    def endorse(self, timeout: float = 30) -> Transaction:
        """Let the hospitals' peers run and sign it; raises EndorseError, or the contract's Refused.

        Also refuses (EndorseError `gateway.endorsed-other`) a transaction that is not of this proposal: the client is
        about to sign it, and no gateway is trusted with that.
        """
        request = gateway_pb2.EndorseRequest(
            transaction_id=self.tx_id,
            channel_id=self._connection.channel,
            proposed_transaction=self._signed(),
            endorsing_organizations=self._proposed.endorsing_organizations,
        )
        answer = self._connection.call(self._connection.gateway.Endorse, request, EndorseError, self.tx_id, timeout)
        envelope = answer.prepared_transaction
        if not _belongs(envelope.payload, self._proposed.proposal.proposal_bytes):
            raise EndorseError(
                "gateway.endorsed-other",
                "the gateway answered with another transaction than the proposed one: tell its operator",
                tx_id=self.tx_id,
            )
        prepared = gateway_pb2.PreparedTransaction(
            transaction_id=self.tx_id, envelope=common_pb2.Envelope(payload=envelope.payload)
        )
        return Transaction(self._connection, prepared)

    def _signed(self) -> proposal_pb2.SignedProposal:
        proposal = self._proposed.proposal
        return proposal_pb2.SignedProposal(
            proposal_bytes=proposal.proposal_bytes,
            signature=proposal.signature or self._connection.signer.sign(proposal.proposal_bytes),
        )

    @property
    def bytes(self) -> bytes:
        """This object for another process; hand it back with the signature to Gateway.signed_proposal."""
        return bytes(self._proposed.SerializeToString(deterministic=True))


def _belongs(payload: bytes, proposal_bytes: bytes) -> bool:
    """Whether an envelope's payload carries this proposal's header and input, and no transient data."""
    proposal = proposal_pb2.Proposal.FromString(proposal_bytes)
    asked = proposal_pb2.ChaincodeProposalPayload.FromString(proposal.payload)
    try:
        answered = common_pb2.Payload.FromString(payload)
        actions = transaction_pb2.Transaction.FromString(answered.data).actions
        if len(actions) != 1 or answered.header != common_pb2.Header.FromString(proposal.header):
            return False
        action = transaction_pb2.ChaincodeActionPayload.FromString(actions[0].payload)
        carried = proposal_pb2.ChaincodeProposalPayload.FromString(action.chaincode_proposal_payload)
    except DecodeError:
        return False
    return carried.input == asked.input and not carried.TransientMap
