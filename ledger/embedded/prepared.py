"""Transactions that this process has endorsed and not yet seen again.

When the very same bytes come back for ordering, the endorsements in them are those this process made a moment ago:
they are compared, not verified once more. Anything else takes the long way (ledger.identity.checking), as does every
verifier.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from ledger.protocol.proposal import Heading
from ledger.protocol.rwset import ReadWriteSet

LARGEST = 64 * 1024 * 1024  # bytes of payloads kept; the oldest go first


@dataclass(frozen=True, slots=True)
class Prepared:
    """An endorsed transaction: the payload its client is to sign, and what it will do."""

    heading: Heading
    payload: bytes
    rwset: ReadWriteSet


class PreparedTransactions:
    """A bounded memory of Prepared, by transaction id. Thread safe."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest, self._size = largest, 0
        self._kept: OrderedDict[str, Prepared] = OrderedDict()
        self._lock = Lock()

    def add(self, prepared: Prepared) -> None:
        with self._lock:
            self._drop(prepared.heading.tx_id)
            self._kept[prepared.heading.tx_id] = prepared
            self._size += len(prepared.payload)
            while self._size > self._largest:
                self._drop(next(iter(self._kept)))

    def take(self, tx_id: str, payload: bytes) -> Prepared | None:
        """What was prepared as exactly `payload`, once; None for any other bytes."""
        with self._lock:
            found = self._kept.get(tx_id)
            if found is None or found.payload != payload:
                return None
            self._drop(tx_id)
            return found

    def _drop(self, tx_id: str) -> None:
        gone = self._kept.pop(tx_id, None)
        self._size -= 0 if gone is None else len(gone.payload)
