"""How a transaction ended."""

from __future__ import annotations

from dataclasses import dataclass

from fabric_protos.peer import transaction_pb2


@dataclass(frozen=True, slots=True)
class Status:
    """The verdict of the peers on one ordered transaction: `block` is its block's number, `code` Fabric's
    TxValidationCode.
    """

    tx_id: str
    block: int
    code: int

    @property
    def valid(self) -> bool:
        return bool(self.code == transaction_pb2.VALID)

    @property
    def name(self) -> str:
        """Fabric's name of the code, such as `VALID` or `MVCC_READ_CONFLICT`."""
        return str(transaction_pb2.TxValidationCode.Name(self.code))

    @property
    def conflict(self) -> bool:
        """Whether another transaction was faster: the same act may be proposed again."""
        return self.code in (transaction_pb2.MVCC_READ_CONFLICT, transaction_pb2.PHANTOM_READ_CONFLICT)
