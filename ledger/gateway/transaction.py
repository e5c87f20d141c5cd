"""An endorsed transaction: what the contract answered, ready to be signed and sent for ordering."""

from __future__ import annotations

from hashlib import sha256

from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import proposal_pb2, proposal_response_pb2, transaction_pb2

from ledger.gateway.commit import Commit
from ledger.gateway.connection import Connection
from ledger.gateway.errors import SubmitError


class Transaction:
    """A PreparedTransaction of Fabric's gateway. Build it with Proposal.endorse or Gateway.signed_transaction."""

    def __init__(self, connection: Connection, prepared: gateway_pb2.PreparedTransaction) -> None:
        self._connection = connection
        self._prepared = prepared

    @classmethod
    def rebuild(cls, connection: Connection, data: bytes, signature: bytes) -> Transaction:
        prepared = gateway_pb2.PreparedTransaction.FromString(data)
        prepared.envelope.signature = signature
        return cls(connection, prepared)

    @property
    def tx_id(self) -> str:
        return str(self._prepared.transaction_id)

    @property
    def digest(self) -> bytes:
        """What the signature is over: SHA-256 of the envelope's payload, 32 bytes."""
        return sha256(self._prepared.envelope.payload).digest()

    @property
    def result(self) -> bytes:
        """What the contract answered (canonical JSON); it holds only once the transaction is committed as valid."""
        return bytes(_response(self._prepared.envelope.payload).payload)

    def submit(self, timeout: float = 30) -> Commit:
        """Send it for ordering, at most `timeout` seconds; raises SubmitError. The same bytes may be sent again."""
        payload = self._prepared.envelope.payload
        signature = self._prepared.envelope.signature or self._connection.signer.sign(payload)
        request = gateway_pb2.SubmitRequest(
            transaction_id=self.tx_id,
            channel_id=self._connection.channel,
            prepared_transaction=common_pb2.Envelope(payload=payload, signature=signature),
        )
        self._connection.call(self._connection.gateway.Submit, request, SubmitError, self.tx_id, timeout)
        return self.commit()

    def commit(self) -> Commit:
        """The question for this transaction's outcome, whoever sent it."""
        return Commit.of(self._connection, self.tx_id)

    @property
    def bytes(self) -> bytes:
        """This object for another process; hand it back with the signature to Gateway.signed_transaction."""
        return bytes(self._prepared.SerializeToString(deterministic=True))


def _response(payload: bytes) -> proposal_response_pb2.Response:
    """The contract's response inside an envelope's payload."""
    transaction = transaction_pb2.Transaction.FromString(common_pb2.Payload.FromString(payload).data)
    action = transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload).action
    answered = proposal_response_pb2.ProposalResponsePayload.FromString(action.proposal_response_payload)
    return proposal_pb2.ChaincodeAction.FromString(answered.extension).response
