"""What can be checked of a block by itself: its bytes, its bindings and every signature in it.

This is where the time goes, and no block needs another for it but the last configuration, so blocks can be checked side
by side.

On the embedded ledger a transaction that does not hold is never ordered: a ledger with one does not verify. On Fabric
any client can have bytes ordered that mean nothing; such a transaction is kept here with why it cannot count, and the
chain must have marked it so.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.errors import LedgerError
from ledger.identity.checking import check_transaction
from ledger.identity.validation import Validator
from ledger.protocol import block as wire
from ledger.protocol import configuration, consortium, policy
from ledger.protocol.channel import ChannelConfig
from ledger.protocol.envelope import check_alone, open_envelope
from ledger.verify import fabric, reconfigure
from ledger.verify.checked import Checked, Unfit, check_names
from ledger.verify.errors import failed, of
from ledger.verify.reconfigure import Reconfigured


@dataclass(frozen=True, slots=True)
class Sealed:
    """A block whose bytes and orderers' signatures hold. `signatures`: how many were checked; `reconfigured`: the
    configuration it holds instead of transactions, if it does.
    """

    block: wire.Block
    checked: tuple[Checked | Unfit, ...]
    signatures: int
    reconfigured: Reconfigured | None = None


class Sealing:
    """The checks of single blocks by one configuration of the channel."""

    def __init__(self, config: ChannelConfig, chaincode: str) -> None:
        self._config = config
        self._chaincode = chaincode
        self._embedded = config.consensus == configuration.CONSENSUS
        self._validator = Validator(config.organisations)

    def check(self, number: int, data: bytes) -> Sealed:
        """Block `number` from its bytes. Raises VerificationFailed with the block and transaction."""
        try:
            block = wire.open_block(data)
            if reconfigure.is_config(block.envelopes[0]):
                return self._reconfigured(number, block)
            if self._embedded and block.value != wire.orderer_value():
                raise LedgerError("block.metadata", "the block's orderer wrote more than which configuration counts")
            if block.last_config != self._config.number:
                raise LedgerError("block.metadata", "the block names another configuration than the one in force")
        except LedgerError as error:
            raise of(error, block=number) from error
        except (ValueError, TypeError) as error:  # certificates that the libraries stumble over
            raise failed("malformed", f"cannot be read ({error})", block=number) from error
        checked = tuple(self._check(number, place, envelope) for place, envelope in enumerate(block.envelopes))
        fit = [each for each in checked if isinstance(each, Checked)]
        headings = [each.transaction.heading for each in fit]
        times = [each.seconds for each in headings if each.chaincode == self._chaincode]
        self._check_orderers(number, block, max(times, default=None))
        signatures = len(block.signatures) + sum(each.signatures for each in fit)
        return Sealed(block, checked, signatures)

    def _check(self, number: int, place: int, envelope: bytes) -> Checked | Unfit:
        try:
            if self._embedded:
                return self._check_embedded(envelope)
            return fabric.check(self._config, self._validator, self._chaincode, envelope)
        except LedgerError as error:
            refusal = of(error, block=number, transaction=place)
        except (ValueError, TypeError) as error:  # certificates that the libraries stumble over
            refusal = failed("malformed", f"cannot be read ({error})", block=number, transaction=place)
        if self._embedded:
            raise refusal
        return Unfit(refusal, fabric.claimed(envelope))

    def _check_embedded(self, envelope: bytes) -> Checked:
        transaction = open_envelope(envelope)
        check_alone(transaction)
        check_names(self._config, transaction, (self._chaincode,))
        client = check_transaction(self._validator, transaction, self._config.endorsement)
        return Checked(transaction, client.creator, 1 + len(transaction.endorsements))

    def _reconfigured(self, number: int, block: wire.Block) -> Sealed:
        if self._embedded:
            raise LedgerError("proposal.type", "only endorser transactions can be proposed")
        if block.last_config != number or block.number != number:
            raise LedgerError("block.metadata", "a configuration block names itself as the configuration in force")
        changed = reconfigure.follow(self._config, self._validator, block)
        self._check_orderers(number, block, changed.seconds)
        return Sealed(block, (), len(block.signatures) + changed.signatures, changed)

    def _check_orderers(self, number: int, block: wire.Block, when: int | None) -> None:
        """Every orderer's signature, and that they meet BlockValidation. A block has no time: that of the last call of
        the contracts is taken, which a majority held against its clocks; None where there is no such call.
        """
        bft = self._config.consensus == consortium.BFT
        signers = []
        for each in block.signatures:
            try:
                creator = self._consenter(each) if bft else each.creator
                member = self._validator.verify(creator, each.signature, block.signed_bytes(each), when)
            except LedgerError as error:
                raise of(error, block=number) from error
            signers.append(member.signer)
        if len({(each.msp_id, each.key) for each in signers}) != len(signers):
            raise failed("orderer-repeated", "an orderer signs a block once", block=number)
        if bft:
            enough = len(signers) >= consortium.quorum(len(self._config.consenters))  # as the configuration had to say
        else:
            enough = policy.is_satisfied(self._config.block_validation, signers)
        if not enough:
            raise failed("block-validation", "the orderers' signatures do not meet the channel's rule", block=number)

    def _consenter(self, signature: wire.OrdererSignature) -> bytes:
        if not signature.by_number or signature.number not in self._config.consenters:
            raise LedgerError("consenter", "a signature of this block is by none of the channel's orderers")
        return self._config.consenters[signature.number]
