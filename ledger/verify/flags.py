"""Which transactions of a block count: recomputed, because orderers do not sign the peers' verdicts."""

from __future__ import annotations

from collections.abc import Container

from fabric_protos.peer import transaction_pb2

from ledger.protocol import rwset
from ledger.protocol.envelope import Transaction
from ledger.verify.checked import Unfit
from ledger.verify.state import States

VALID = int(transaction_pb2.VALID)
DUPLICATE_TXID = int(transaction_pb2.DUPLICATE_TXID)
ENDORSEMENT_POLICY_FAILURE = int(transaction_pb2.ENDORSEMENT_POLICY_FAILURE)
BAD_CREATOR_SIGNATURE = int(transaction_pb2.BAD_CREATOR_SIGNATURE)


def verdict(transaction: Transaction, states: States, *, seen: bool) -> int:
    """Fabric's TxValidationCode of one transaction, over the state that the valid ones before it left.

    `seen`: whether an earlier one has its id, which counts even where that one is invalid.
    """
    if seen:
        return DUPLICATE_TXID
    for each in transaction.touched:
        for collection, rwset_ in (("", each.rwset), *each.hashed):
            state = states[each.namespace, collection]
            if code := rwset.conflict(rwset_, state.version, state.scan):
                return code
    return VALID


def unfit(each: Unfit, earlier: Container[str]) -> frozenset[int]:
    """The codes that Fabric may have given what can never count: one where the reason has one, else any but VALID.
    `earlier`: the ids in the blocks before.
    """
    if each.refusal.code == "verify.endorsement-policy":
        return frozenset({DUPLICATE_TXID if each.tx_id in earlier else ENDORSEMENT_POLICY_FAILURE})
    if each.refusal.code in ("verify.signature-invalid", "verify.signature-malformed", "verify.signature-high-s"):
        return frozenset({BAD_CREATOR_SIGNATURE})
    return frozenset(transaction_pb2.TxValidationCode.values()) - {VALID}


def name(code: int) -> str:
    """Fabric's name of a code, such as `MVCC_READ_CONFLICT`; the number for one that Fabric does not know."""
    try:
        return str(transaction_pb2.TxValidationCode.Name(code))
    except ValueError:
        return str(code)
