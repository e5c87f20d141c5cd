"""One contract call over committed state: what it may see, and what it read and wrote, for its read/write set."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.contracts.stub import Creator
from ledger.embedded.store import Reader
from ledger.errors import LedgerError
from ledger.protocol.envelope import Event
from ledger.protocol.proposal import Proposal
from ledger.protocol.rwset import Version

EVIDENCE = "evidence"


class Simulation:
    """The Stub of one call (ledger.contracts.stub). `reading`: an evaluation, which may range and never writes."""

    replaying = False

    def __init__(self, reader: Reader, proposal: Proposal, creator: Creator, *, reading: bool) -> None:
        heading = proposal.heading
        self.channel, self.tx_id, self.now, self.creator = heading.channel, heading.tx_id, heading.seconds, creator
        self.reads: dict[str, Version | None] = {}
        self.writes: dict[str, bytes | None] = {}
        self.announced: Event | None = None
        self._reader, self._evidence, self._reading = reader, proposal.transient.get(EVIDENCE), reading

    def get(self, key: str) -> bytes | None:
        """Raises LedgerError `host.read-after-write`: a contract that needs what it wrote holds it in its hands."""
        if key in self.writes:
            raise LedgerError("host.read-after-write", f"{key} was written in this very transaction")
        found = self._reader.state(key)
        self.reads[key] = None if found is None else found[1]
        return None if found is None else found[0]

    def put(self, key: str, value: bytes) -> None:
        """Raises LedgerError `host.empty` for an empty key or value: Fabric cannot tell those from deletions."""
        if not key or not value:
            raise LedgerError("host.empty", "keys and values are not empty")
        self.writes[key] = value

    def delete(self, key: str) -> None:
        self.writes[key] = None

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Raises LedgerError `host.range-in-write`: such a transaction would lose most races (phantom reads)."""
        if not self._reading:
            raise LedgerError("host.range-in-write", "a transaction cannot read a range of keys")
        return ((key, value) for key, value, _ in self._reader.scan(start, end))

    def event(self, name: str, payload: bytes) -> None:
        """Raises LedgerError `host.second-event`."""
        if self.announced is not None:
            raise LedgerError("host.second-event", "a transaction has at most one event")
        self.announced = Event(name, payload)

    def evidence(self) -> bytes | None:
        return self._evidence
