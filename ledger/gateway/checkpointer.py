"""How far a follower of the ledger has come, so that it goes on from there and sees nothing twice and misses nothing.

A checkpoint is set after an event was dealt with. A follower that keeps its position in its own database, in the
transaction that holds the event's effect, needs no Checkpointer: it passes `start_block` and `after_tx` itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ledger import disk
from ledger.errors import LedgerError


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on: at block `block`, after transaction `tx_id` of it (None: from the block's start)."""

    block: int = 0
    tx_id: str | None = None


class Checkpointer(Protocol):
    """Where a position is kept. `save` returns only when the position would survive a crash of its process."""

    def load(self) -> Position: ...

    def save(self, position: Position) -> None: ...


class MemoryCheckpointer:
    """A position that lives as long as the object: enough to survive a broken connection."""

    def __init__(self, position: Position | None = None) -> None:
        self._position = position or Position()

    def load(self) -> Position:
        return self._position

    def save(self, position: Position) -> None:
        self._position = position


class FileCheckpointer:
    """A position in one small file, replaced whole: a crash leaves the old or the new one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Position:
        """The saved position, or the beginning when there is none; raises LedgerError `checkpoint.malformed`,
        `checkpoint.failed`.
        """
        try:
            text = self._path.read_text("ascii")
        except FileNotFoundError:
            return Position()
        except OSError as error:
            raise self._failed(error) from None
        except UnicodeDecodeError:
            raise self._malformed() from None
        try:
            saved = json.loads(text)
            block, tx_id = saved["block"], saved["tx_id"]
        except (ValueError, KeyError, TypeError):
            raise self._malformed() from None
        if type(block) is not int or block < 0 or not (tx_id is None or isinstance(tx_id, str)):
            raise self._malformed()
        return Position(block, tx_id)

    def save(self, position: Position) -> None:
        """Raises LedgerError `checkpoint.failed`, such as for a full disk; the position that was saved stays."""
        try:
            with disk.replacing(self._path) as file:
                file.write(json.dumps({"block": position.block, "tx_id": position.tx_id}).encode("ascii"))
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> LedgerError:
        message = f"the checkpoint {self._path} cannot be read or written: {error.strerror}"
        return LedgerError("checkpoint.failed", message, path=str(self._path))

    def _malformed(self) -> LedgerError:
        return LedgerError(
            "checkpoint.malformed",
            f"{self._path} is not a checkpoint: remove it to begin again at the first block",
            path=str(self._path),
        )
