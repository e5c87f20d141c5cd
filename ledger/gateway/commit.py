"""A transaction on its way into a block: what became of it."""

from __future__ import annotations

from hashlib import sha256

from fabric_protos.gateway import gateway_pb2

from ledger.gateway.connection import Connection
from ledger.gateway.errors import CommitStatusError
from ledger.gateway.status import Status


class Commit:
    """The question for one transaction's outcome, signed by who asks. Build it with Transaction.submit or
    Gateway.commit.
    """

    def __init__(self, connection: Connection, request: gateway_pb2.SignedCommitStatusRequest) -> None:
        self._connection = connection
        self._signed = request
        self._asked = gateway_pb2.CommitStatusRequest.FromString(request.request)

    @classmethod
    def of(cls, connection: Connection, tx_id: str) -> Commit:
        asked = gateway_pb2.CommitStatusRequest(
            transaction_id=tx_id, channel_id=connection.channel, identity=connection.signer.serialized
        )
        return cls(connection, gateway_pb2.SignedCommitStatusRequest(request=asked.SerializeToString()))

    @classmethod
    def rebuild(cls, connection: Connection, data: bytes, signature: bytes) -> Commit:
        signed = gateway_pb2.SignedCommitStatusRequest.FromString(data)
        signed.signature = signature
        return cls(connection, signed)

    @property
    def tx_id(self) -> str:
        return str(self._asked.transaction_id)

    @property
    def digest(self) -> bytes:
        """What the signature is over: SHA-256, 32 bytes."""
        return sha256(self._signed.request).digest()

    def status(self, timeout: float = 30) -> Status:
        """Wait until the transaction stands in a block, at most `timeout` seconds; raises CommitStatusError.

        A Status that is not valid is an answer, not an error.
        """
        request = gateway_pb2.SignedCommitStatusRequest(
            request=self._signed.request,
            signature=self._signed.signature or self._connection.signer.sign(self._signed.request),
        )
        answer = self._connection.call(
            self._connection.gateway.CommitStatus, request, CommitStatusError, self.tx_id, timeout
        )
        return Status(self.tx_id, answer.block_number, answer.result)

    @property
    def bytes(self) -> bytes:
        """This object for another process; hand it back with the signature to Gateway.signed_commit."""
        return bytes(self._signed.SerializeToString(deterministic=True))
