"""Which transactions of a block count: recomputed, because orderers do not sign the peers' verdicts."""

from __future__ import annotations

from fabric_protos.peer import transaction_pb2

from ledger.protocol import rwset
from ledger.protocol.envelope import Transaction
from ledger.verify.state import State

VALID = int(transaction_pb2.VALID)
DUPLICATE_TXID = int(transaction_pb2.DUPLICATE_TXID)


def verdict(transaction: Transaction, state: State, seen: set[str]) -> int:
    """Fabric's TxValidationCode of one transaction, over the state that the valid ones before it left.

    `seen`: the ids of all transactions before it, the invalid ones included. Bad signatures and unmet policies have no
    code here: a ledger that holds any does not verify.
    """
    if transaction.heading.tx_id in seen:
        return DUPLICATE_TXID
    return rwset.conflict(transaction.rwset, state.version, state.scan)


def name(code: int) -> str:
    """Fabric's name of a code, such as `MVCC_READ_CONFLICT`; the number for one that Fabric does not know."""
    try:
        return str(transaction_pb2.TxValidationCode.Name(code))
    except ValueError:
        return str(code)
