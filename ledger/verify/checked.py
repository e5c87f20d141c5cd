"""What is known of one transaction by itself, before the chain says whether it counts."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.contracts.stub import Creator
from ledger.errors import LedgerError
from ledger.protocol.channel import ChannelConfig
from ledger.protocol.envelope import Transaction
from ledger.verify.errors import VerificationFailed


@dataclass(frozen=True, slots=True)
class Checked:
    """A transaction and who sent it. `signatures`: how many hold; `passed_over`: endorsements that do not, which count
    for nothing on Fabric.
    """

    transaction: Transaction
    creator: Creator
    signatures: int
    passed_over: int = 0


@dataclass(frozen=True, slots=True)
class Unfit:
    """What stands in a Fabric block and can never count, and why. `tx_id`: the id it claims, if it can be told."""

    refusal: VerificationFailed
    tx_id: str


def check_names(config: ChannelConfig, transaction: Transaction, chaincodes: tuple[str, ...]) -> None:
    """Raises LedgerError `channel`, `chaincode`."""
    heading = transaction.heading
    if heading.channel != config.channel:
        raise LedgerError("channel", f"this transaction was made for the channel {heading.channel!r}")
    if heading.chaincode not in chaincodes:
        raise LedgerError("chaincode", f"this transaction calls {heading.chaincode!r}, not {chaincodes[0]!r}")
