"""A verified ledger to look things up in: state, where it came from, and the chain's heads. Everything is rebuilt
offline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from consent import canonical
from ledger.verify.report import Report
from ledger.verify.state import State


@dataclass(frozen=True, slots=True)
class Entry:
    """What stood under `key` from block `block`, transaction `transaction` (its place in the block) on; None:
    deleted.
    """

    key: str
    record: Any
    block: int
    transaction: int
    tx_id: str


class Ledger:
    """The state that a verified chain leaves, with the block of each write. Only `verify` makes one."""

    def __init__(self, report: Report, state: State, hashes: list[bytes], ids: dict[tuple[int, int], str]) -> None:
        self.report = report
        self._state = state
        self._hashes = hashes
        self._ids = ids
        self._places = {tx_id: place for place, tx_id in ids.items()}

    @property
    def height(self) -> int:
        """The number of blocks."""
        return self.report.height

    def header_hash(self, height: int) -> str | None:
        """The header hash (64 hex characters) of block `height` - 1, the newest when the chain had `height` blocks;
        None when it never had as many.
        """
        return self._hashes[height - 1].hex() if 1 <= height <= len(self._hashes) else None

    def state(self, key: str) -> Any:
        """The record that stands under `key`, as plain JSON values; None where nothing stands."""
        return _record(self._state.value(key))

    def records(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Key and record of everything that stands under `prefix`, sorted by key."""
        for key in self._state.keys(prefix, _after(prefix)):
            yield key, self.state(key)

    def history(self, key: str) -> tuple[Entry, ...]:
        """Every record that ever stood under `key`, the oldest first."""
        return tuple(
            Entry(key, _record(write.value), *write.version, self._ids[write.version])
            for write in self._state.history(key)
        )

    def transaction(self, tx_id: str) -> tuple[int, int] | None:
        """Block and place of the transaction `tx_id`, if it is in the chain and counts."""
        return self._places.get(tx_id)


def _record(value: bytes | None) -> Any:
    return None if value is None else canonical.decode(value)


def _after(prefix: str) -> str:
    """The first string after all that start with `prefix`; "" (no end) for the empty prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else ""
