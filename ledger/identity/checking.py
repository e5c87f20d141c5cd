"""Every signature of an endorsed transaction: the client's, each endorser's, and whether they are enough.

The ledger checks a transaction with this before it is ordered, and the offline verifier after: one rule, one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ledger.errors import LedgerError
from ledger.identity.validation import Member, Validator
from ledger.protocol import policy
from ledger.protocol.envelope import Transaction
from ledger.protocol.policy import Signer

WRITERS = ("client", "admin")  # who may propose, by NodeOU: Fabric's channel Writers


def check_client(validator: Validator, creator: bytes, signature: bytes, message: bytes, when: float) -> Member:
    """Who signed a request or envelope. Raises LedgerError `identity.*`, `signature.*`, `identity.not-a-writer`."""
    member = validator.verify(creator, signature, message, when)
    if member.ou not in WRITERS:
        raise LedgerError("identity.not-a-writer", f"transactions come from clients, not from a {member.ou}")
    return member


def check_endorsements(validator: Validator, transaction: Transaction, endorsement_policy: Any) -> None:
    """Every endorsement verifies at the transaction's time, and together they meet the policy.

    Stricter than Fabric, which passes over endorsements that do not verify: here one bad signature refuses the whole.
    Raises LedgerError `identity.*`, `signature.*`, `endorsement.repeated`, `endorsement.policy`.
    """
    when = transaction.heading.seconds
    signers = [
        validator.verify(each.identity, each.signature, transaction.endorsed + each.identity, when).signer
        for each in transaction.endorsements
    ]
    if len({(each.msp_id, each.key) for each in signers}) != len(signers):
        raise LedgerError("endorsement.repeated", "an identity endorses a transaction once")
    check_policy(endorsement_policy, signers)


def good_endorsers(validator: Validator, transaction: Transaction) -> list[Signer]:
    """Who endorsed `transaction`, as Fabric counts: an endorsement that does not verify counts for nothing, since any
    client could add one.
    """
    found = []
    for each in transaction.endorsements:
        message = transaction.endorsed + each.identity
        with suppress(LedgerError, ValueError, TypeError):  # the last two: certificates that the libraries stumble over
            found.append(validator.verify(each.identity, each.signature, message, transaction.heading.seconds).signer)
    return found


def check_policy(endorsement_policy: Any, signers: Sequence[Signer]) -> None:
    """Raises LedgerError `endorsement.policy`."""
    if not policy.is_satisfied(endorsement_policy, signers):
        names = ", ".join(sorted({each.msp_id for each in signers})) or "nobody"
        raise LedgerError("endorsement.policy", f"endorsed by {names}: that is not what the channel's rules ask")


def check_transaction(validator: Validator, transaction: Transaction, endorsement_policy: Any) -> Member:
    """All signatures of `transaction`, judged at its own time; returns its client. Raises as the two above."""
    heading = transaction.heading
    client = check_client(validator, heading.creator, transaction.signature, transaction.payload, heading.seconds)
    check_endorsements(validator, transaction, endorsement_policy)
    return client
