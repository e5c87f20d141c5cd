"""The ledger's records for commands that have no database: as a peer serves them, or as a verified export holds them.

Both are LedgerViews of training.federation.studies: what reads a node's mirror reads them too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from consent import canonical
from ledger.contracts.rules import CHAINCODE
from ledger.errors import LedgerError
from ledger.protocol.block import open_block
from ledger.protocol.envelope import open_envelope
from ledger.verify import Ledger, flags
from training.federation.studies import Entry


class Served:
    """What stands on the ledger with `blocks` (of Gateway.blocks), by the peer's word: nothing of it is verified."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._records: dict[str, Entry] = {}
        self._hashes: list[str] = []
        for data in blocks:
            block = open_block(data)
            self._hashes.append(block.hash.hex())
            verdicts = block.flags if block.number else bytes(len(block.envelopes))  # the first block has none
            for envelope, verdict in zip(block.envelopes, verdicts, strict=True):
                if verdict == flags.VALID:
                    self._apply(envelope, block.number)

    def _apply(self, envelope: bytes, block: int) -> None:
        try:
            transaction = open_envelope(envelope)
        except LedgerError:  # a change of the channel's configuration: it holds no record
            return
        if transaction.heading.chaincode != CHAINCODE:  # Fabric's own, about the contracts' code
            return
        for key, value in transaction.rwset.writes:
            if value is None:
                self._records.pop(key, None)
            else:
                self._records[key] = Entry(canonical.decode(value), block)

    def check(self) -> None:
        """It is read once, so there is nothing that it could have lost."""

    def header_hash(self, height: int) -> str | None:
        return self._hashes[height - 1] if 1 <= height <= len(self._hashes) else None

    def height(self) -> int:
        return len(self._hashes) - 1

    def entry(self, key: str) -> Entry | None:
        return self._records.get(key)

    def entries(self, prefix: str) -> Mapping[str, Entry]:
        return {key: entry for key, entry in self._records.items() if key.startswith(prefix)}

    def reached(self, block: int, seconds: float) -> bool:
        return self.height() >= block


class Verified:
    """What stood on a verified ledger when it had `blocks` blocks."""

    def __init__(self, ledger: Ledger, blocks: int) -> None:
        self._ledger, self._blocks = ledger, blocks

    def check(self) -> None:
        """`verify` has checked all of it."""

    def header_hash(self, height: int) -> str | None:
        return self._ledger.header_hash(height) if height <= self._blocks else None

    def height(self) -> int:
        return self._blocks - 1

    def entry(self, key: str) -> Entry | None:
        before = [one for one in self._ledger.history(key) if one.block < self._blocks]
        return None if not before or before[-1].record is None else Entry(before[-1].record, before[-1].block)

    def entries(self, prefix: str) -> Mapping[str, Entry]:
        """No record of a study, an account or a data set is ever deleted: what stood then stands now."""
        found = ((key, self.entry(key)) for key, _ in self._ledger.records(prefix))
        return {key: entry for key, entry in found if entry is not None}

    def reached(self, block: int, seconds: float) -> bool:
        return self.height() >= block
