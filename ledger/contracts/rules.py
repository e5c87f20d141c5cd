"""The rules of the house for one call, the same in every host: what a contract may do, and what stops it.

A host subclasses `Rules` and says how committed state is read (`_find`, `_scan`); everything that must not differ
between two ledgers is decided here: reading what was written, ranges in a transaction, a second event, the clock.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

from ledger.contracts.stub import Creator
from ledger.errors import LedgerError, Refused

CHAINCODE = "covenant"
CLOCK_SKEW = 300  # seconds
EVIDENCE = "evidence"  # the transient field


class Rules(ABC):
    """The Stub of one call (ledger.contracts.stub). `ranging`: it only asks, so it may read ranges of keys."""

    replaying = False

    def __init__(
        self,
        *,
        channel: str,
        hospitals: tuple[str, ...],
        tx_id: str,
        now: int,
        creator: Creator,
        transient: Mapping[str, bytes],
        ranging: bool,
    ) -> None:
        self.channel, self.hospitals = channel, tuple(sorted(hospitals))
        self.tx_id, self.now, self.creator = tx_id, now, creator
        self.writes: dict[str, bytes | None] = {}
        self.announced: str | None = None
        self._evidence, self._ranging = transient.get(EVIDENCE), ranging

    def get(self, key: str) -> bytes | None:
        """Raises LedgerError `host.read-after-write`: a contract that needs what it wrote holds it in its hands."""
        if key in self.writes:
            raise LedgerError("host.read-after-write", f"{key} was written in this very transaction")
        return self._find(key)

    @abstractmethod
    def expect(self, keys: Sequence[str]) -> None:
        """Each of `keys` is read next: fetch them together, if that is any faster."""

    def put(self, key: str, value: bytes) -> None:
        """Raises LedgerError `host.empty` for an empty key or value: Fabric cannot tell those from deletions."""
        if not key or not value:
            raise LedgerError("host.empty", "keys and values are not empty")
        self.writes[key] = value

    def delete(self, key: str) -> None:
        self.writes[key] = None

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Raises LedgerError `host.range-in-write`: such a transaction would lose most races (phantom reads)."""
        if not self._ranging:
            raise LedgerError("host.range-in-write", "a transaction cannot read a range of keys")
        return self._scan(start, end)

    def event(self, name: str) -> None:
        """Raises LedgerError `host.second-event`."""
        if self.announced is not None:
            raise LedgerError("host.second-event", "a transaction has at most one event")
        self.announced = name

    def evidence(self) -> bytes | None:
        return self._evidence

    @abstractmethod
    def _find(self, key: str) -> bytes | None:
        """The committed value under `key`, or None."""

    @abstractmethod
    def _scan(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Committed pairs with start <= key < end, in order."""


def check_clock(proposed: int, now: float) -> None:
    """Before a contract runs: `proposed`, the proposal's time, against the host's own, both epoch seconds.

    Raises Refused `host.clock-skew`.
    """
    if abs(proposed - now) > CLOCK_SKEW:
        raise Refused("host.clock-skew", f"the proposal's time is more than {CLOCK_SKEW} s from the ledger's clock")
