"""The chain, block by block: links, recomputed verdicts, and the contracts run again."""

from __future__ import annotations

import time
from collections import Counter

from ledger.contracts import host
from ledger.contracts.stub import Creator
from ledger.protocol.envelope import Transaction
from ledger.protocol.genesis import ChannelConfig
from ledger.verify import flags, members
from ledger.verify.errors import VerificationFailed, failed, of
from ledger.verify.ledger import Ledger
from ledger.verify.replay import replay
from ledger.verify.report import CodeChange, Report
from ledger.verify.seal import Sealed
from ledger.verify.state import State


class Chain:
    """A chain as far as it is verified; `append` takes it one block further, or raises and leaves it useless."""

    def __init__(self, config: ChannelConfig, genesis_hash: bytes) -> None:
        self.hashes = [genesis_hash]
        self._config = config
        self._state = State()
        self._seen: set[str] = set()
        self._ids: dict[tuple[int, int], str] = {}
        self._invalid: Counter[str] = Counter()
        self._attested: Counter[str] = Counter()
        self._codes: list[CodeChange] = []
        self._transactions = self._replayed = self._signatures = 0
        self._founded = False
        self._replaying = 0.0  # seconds

    def append(self, sealed: Sealed) -> None:
        """Check the next block against all before it. Raises VerificationFailed `verify.block-number`,
        `verify.previous-hash`, `verify.flags`, `verify.replay-*`, `verify.members`.
        """
        block, number = sealed.block, len(self.hashes)
        if block.number != number:
            raise failed("block-number", f"this block calls itself number {block.number}", block=number)
        if block.previous_hash != self.hashes[-1]:
            raise failed("previous-hash", "this block does not follow the one before it", block=number)
        for place, transaction in enumerate(sealed.transactions):
            code = flags.verdict(transaction, self._state, self._seen)
            if code != block.flags[place]:
                raise failed(
                    "flags",
                    f"marked {flags.name(block.flags[place])}, but it is {flags.name(code)}",
                    block=number,
                    transaction=place,
                )
            self._seen.add(transaction.heading.tx_id)
            if code == flags.VALID:
                self._accept(transaction, sealed.creators[place], (number, place))
            else:
                self._invalid[flags.name(code)] += 1
        self._transactions += len(sealed.transactions)
        self._signatures += sealed.signatures
        self.hashes.append(block.hash)

    def close(self, heads: int, seconds: float) -> Ledger:
        """The ledger that the chain leaves. `heads`: how many of the caller's were found; `seconds`: spent in all."""
        report = Report(
            channel=self._config.channel,
            genesis=self._config.digest,
            hospitals=self._config.hospitals,
            institutes=self._config.institutes,
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
            founded=self._founded,
            heads=heads,
            seconds={"total": seconds, "replay": self._replaying},
        )
        return Ledger(report, self._state, self.hashes, self._ids)

    def _accept(self, transaction: Transaction, creator: Creator, version: tuple[int, int]) -> None:
        """Replay a valid transaction, then let its writes stand."""
        block, place = version
        began = time.perf_counter()
        try:
            attested = replay(transaction, creator, self._state, self._config.hospitals)
            self._founded |= members.founding(transaction, self._config)
        except VerificationFailed as error:
            raise of(error, block=block, transaction=place) from error
        self._replaying += time.perf_counter() - began
        for key, value in transaction.rwset.writes:
            self._state.write(key, value, version)
        self._ids[version] = transaction.heading.tx_id
        self._replayed += 1
        if attested:
            self._attested[transaction.args[0].decode()] += 1
        self._note_code(transaction, block, place)

    def _note_code(self, transaction: Transaction, block: int, place: int) -> None:
        if not self._codes or self._codes[-1].version != transaction.version:
            self._codes.append(CodeChange(block, place, transaction.version))
