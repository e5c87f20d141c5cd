"""What the institute does with a withdrawal: acknowledge it, bring it to the ledger, keep nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from portal import ledger
from portal.errors import LedgerUnavailable
from portal.withdrawals import acknowledging
from portal.withdrawals.handed import Handed, withdrawn_block

PATIENCE = 15.0  # seconds for the ledger, while somebody looks at an empty page


@dataclass(frozen=True, slots=True)
class PassedOn:
    """`acknowledgement`: the signed file, made before anything was sent. `block`: where the withdrawal stands; None
    where the ledger could not be reached: then it is with nobody but the person who has the receipt.
    """

    acknowledgement: bytes
    block: int | None


def pass_on(handed: Handed) -> PassedOn:
    """Acknowledge `handed` and write it to the ledger. Nothing of it stays in this node's database, files or log.

    Raises Refused where the ledger says no. The same again is answered with the block that stands.
    """
    commitment = handed.commitment
    acknowledgement = acknowledging.acknowledge(commitment, datetime.now(UTC), handed.how)
    acknowledging.read_back(acknowledgement, commitment.hex())
    if (block := withdrawn_block(commitment.hex())) is not None:
        return PassedOn(acknowledgement, block)
    arguments = {"commitment": commitment.hex(), "by": handed.how}
    try:
        done = ledger.submit(acknowledging.signer(), "consents:Withdraw", arguments, handed.evidence, timeout=PATIENCE)
    except LedgerUnavailable:
        return PassedOn(acknowledgement, None)
    return PassedOn(acknowledgement, done.block)
