"""What can be checked of a block by itself: its bytes, its bindings and every signature in it.

This is where the time goes, and no block needs another for it, so blocks can be checked side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.contracts.stub import Creator
from ledger.errors import LedgerError
from ledger.identity.checking import check_transaction
from ledger.identity.validation import Validator
from ledger.protocol import block as wire
from ledger.protocol import policy
from ledger.protocol.envelope import Transaction, open_envelope
from ledger.protocol.genesis import ChannelConfig
from ledger.verify.errors import failed, of


@dataclass(frozen=True, slots=True)
class Sealed:
    """A block whose bytes and signatures hold. `creators`: who sent each transaction; `signatures`: how many were
    checked.
    """

    block: wire.Block
    transactions: tuple[Transaction, ...]
    creators: tuple[Creator, ...]
    signatures: int


class Sealing:
    """The checks of single blocks by one channel's configuration."""

    def __init__(self, config: ChannelConfig, chaincode: str) -> None:
        self._config = config
        self._chaincode = chaincode
        self._validator = Validator(config.organisations)

    def check(self, number: int, data: bytes) -> Sealed:
        """Block `number` from its bytes. Raises VerificationFailed with the block and transaction."""
        try:
            block = wire.open_block(data)
        except LedgerError as error:
            raise of(error, block=number) from error
        transactions, creators = [], []
        for place, envelope in enumerate(block.envelopes):
            try:
                transaction = open_envelope(envelope)
                self._check_names(transaction)
                client = check_transaction(self._validator, transaction, self._config.endorsement)
            except LedgerError as error:
                raise of(error, block=number, transaction=place) from error
            except (ValueError, TypeError) as error:  # certificates that the libraries stumble over
                raise failed("malformed", f"cannot be read ({error})", block=number, transaction=place) from error
            transactions.append(transaction)
            creators.append(client.creator)
        self._check_orderers(number, block, max(each.heading.seconds for each in transactions))
        signatures = len(block.signatures) + sum(1 + len(each.endorsements) for each in transactions)
        return Sealed(block, tuple(transactions), tuple(creators), signatures)

    def _check_names(self, transaction: Transaction) -> None:
        heading = transaction.heading
        if heading.channel != self._config.channel:
            raise LedgerError("channel", f"this transaction was made for the channel {heading.channel!r}")
        if heading.chaincode != self._chaincode:
            raise LedgerError("chaincode", f"this transaction calls {heading.chaincode!r}, not {self._chaincode!r}")

    def _check_orderers(self, number: int, block: wire.Block, when: int) -> None:
        """Every orderer's signature, and that they meet BlockValidation. A block has no time: its last transaction's
        is taken.
        """
        signers = []
        for each in block.signatures:
            try:
                member = self._validator.verify(each.creator, each.signature, block.signed_bytes(each), when)
            except LedgerError as error:
                raise of(error, block=number) from error
            signers.append(member.signer)
        if len({(each.msp_id, each.key) for each in signers}) != len(signers):
            raise failed("orderer-repeated", "an orderer signs a block once", block=number)
        if not policy.is_satisfied(self._config.block_validation, signers):
            raise failed("block-validation", "the orderers' signatures do not meet the channel's rule", block=number)
