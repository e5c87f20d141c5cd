"""The chain, block by block: links, recomputed verdicts, and the contracts run again."""

from __future__ import annotations

import time
from collections import Counter

from ledger.contracts import host
from ledger.contracts.stub import Creator
from ledger.protocol.channel import ChannelConfig
from ledger.protocol.configuration import CONSENSUS
from ledger.protocol.envelope import Transaction
from ledger.protocol.rwset import Version
from ledger.verify import flags, members
from ledger.verify.checked import Checked, Unfit
from ledger.verify.errors import VerificationFailed, failed, of
from ledger.verify.fabric import LIFECYCLE
from ledger.verify.ledger import Ledger
from ledger.verify.lifecycle import Definition, committed
from ledger.verify.reconfigure import Reconfigured
from ledger.verify.replay import replay
from ledger.verify.report import CodeChange, ConfigChange, Report
from ledger.verify.seal import Sealed
from ledger.verify.state import States


class Chain:
    """A chain as far as it is verified; `append` takes it one block further, or raises and leaves it useless."""

    def __init__(self, config: ChannelConfig, genesis_hash: bytes, chaincode: str) -> None:
        self.hashes = [genesis_hash]
        self._genesis = self._config = config
        self._fabric = config.consensus != CONSENSUS
        self._chaincode = chaincode
        self._states = States()
        self._seen: set[str] = set()
        self._ids: dict[tuple[int, int], str] = {}
        self._invalid: Counter[str] = Counter()
        self._attested: Counter[str] = Counter()
        self._codes: list[CodeChange] = []
        self._changes: list[ConfigChange] = []
        self._definition: Definition | None = None
        self._transactions = self._replayed = self._signatures = self._passed_over = 0
        self._founded = False
        self._replaying = 0.0  # seconds

    def append(self, sealed: Sealed) -> None:
        """Check the next block against all before it. Raises VerificationFailed `verify.block-number`,
        `verify.previous-hash`, `verify.flags`, `verify.replay-*`, `verify.members`, `verify.lifecycle`,
        `verify.contract-version`, and why what counts should not.
        """
        block, number = sealed.block, len(self.hashes)
        if block.number != number:
            raise failed("block-number", f"this block calls itself number {block.number}", block=number)
        if block.previous_hash != self.hashes[-1]:
            raise failed("previous-hash", "this block does not follow the one before it", block=number)
        if sealed.reconfigured is not None:
            self._reconfigure(sealed.reconfigured, number, block.flags)
        here: set[str] = set()
        for place, each in enumerate(sealed.checked):
            if isinstance(each, Unfit):
                self._pass_over(each, block.flags[place])
            else:
                self._judge(each, block.flags[place], (number, place), here)
        self._seen |= here | {each.tx_id for each in sealed.checked if isinstance(each, Unfit) and each.tx_id}
        self._transactions += len(sealed.checked)
        self._signatures += sealed.signatures
        self.hashes.append(block.hash)

    def close(self, heads: int, seconds: float) -> Ledger:
        """The ledger that the chain leaves. `heads`: how many of the caller's were found; `seconds`: spent in all."""
        report = Report(
            channel=self._config.channel,
            genesis=self._genesis.digest,
            hospitals=self._config.hospitals,
            institutes=self._config.institutes,
            config_changes=tuple(self._changes),
            consensus=self._config.consensus,
            height=len(self.hashes),
            head_hash=self.hashes[-1].hex(),
            transactions=self._transactions,
            invalid=dict(sorted(self._invalid.items())),
            signatures=self._signatures,
            replayed=self._replayed,
            attested=self._attested.total(),
            attested_by_function=dict(sorted(self._attested.items())),
            contract_code=host.source_digest(),
            code_changes=tuple(self._codes),
            passed_over=self._passed_over,
            founded=self._founded,
            heads=heads,
            seconds={"total": seconds, "replay": self._replaying},
        )
        return Ledger(report, self._states[self._chaincode, ""], self.hashes, self._ids)

    def _judge(self, checked: Checked, flag: int, version: Version, here: set[str]) -> None:
        """A transaction that may count: its verdict, and what it does if it does. `here`: ids in this block so far."""
        transaction = checked.transaction
        tx_id = transaction.heading.tx_id
        code = flags.verdict(transaction, self._states, seen=tx_id in self._seen or tx_id in here)
        if code != flag:
            raise self._mismatch(flag, flags.name(code), version)
        here.add(tx_id)
        self._passed_over += checked.passed_over
        if code != flags.VALID:
            self._invalid[flags.name(code)] += 1
            return
        try:
            if transaction.heading.chaincode == LIFECYCLE:
                self._write(transaction, version)
                self._agree(transaction, version)
            else:
                self._replay(transaction, checked.creator, version)
        except VerificationFailed as error:
            raise of(error, block=version[0], transaction=version[1]) from error

    def _pass_over(self, unfit: Unfit, flag: int) -> None:
        """What can never count, and must be marked so."""
        if flag == flags.VALID:
            raise unfit.refusal
        if flag not in flags.unfit(unfit, self._seen):
            raise self._mismatch(flag, unfit.refusal.code, (unfit.refusal.block or 0, unfit.refusal.transaction or 0))
        self._invalid[flags.name(flag)] += 1

    def _mismatch(self, flag: int, is_: str, version: Version) -> VerificationFailed:
        return failed("flags", f"marked {flags.name(flag)}, but it is {is_}", block=version[0], transaction=version[1])

    def _reconfigure(self, changed: Reconfigured, number: int, marked: bytes) -> None:
        if marked != bytes([flags.VALID]):
            raise failed("flags", "a configuration that its block holds counts, and must be marked so", block=number)
        self._config = changed.config
        self._changes.append(ConfigChange(number, changed.config.hospitals, changed.config.institutes, changed.signers))

    def _replay(self, transaction: Transaction, creator: Creator, version: Version) -> None:
        """Run a call of the contracts again, then let its writes stand."""
        if self._fabric and (self._definition is None or self._definition.version != transaction.version):
            raise failed("contract-version", "it was endorsed under other contract code than the channel had agreed on")
        began = time.perf_counter()
        state = self._states[self._chaincode, ""]
        attested = replay(transaction, creator, state, self._genesis.hospitals)
        self._founded |= members.founding(transaction, self._genesis)
        self._replaying += time.perf_counter() - began
        self._write(transaction, version)
        self._ids[version] = transaction.heading.tx_id
        self._replayed += 1
        if attested:
            self._attested[transaction.args[0].decode()] += 1
        if not self._fabric:
            self._note_code(CodeChange(*version, transaction.version))

    def _agree(self, transaction: Transaction, version: Version) -> None:
        """Follow a transaction of `_lifecycle`, its writes standing."""
        organisations = (*self._config.hospitals, *self._config.institutes)
        found = committed(transaction, self._chaincode, self._definition, self._states, organisations)
        if found is not None:
            self._definition = found
            self._note_code(CodeChange(*version, found.version, found.approved))

    def _write(self, transaction: Transaction, version: Version) -> None:
        for each in transaction.touched:
            for collection, rwset in (("", each.rwset), *each.hashed):
                for key, value in rwset.writes:
                    self._states[each.namespace, collection].write(key, value, version)

    def _note_code(self, change: CodeChange) -> None:
        if not self._codes or self._codes[-1].version != change.version:
            self._codes.append(change)
