"""One contract call over committed state: what it may see, and what it read and wrote, for its read/write set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.contracts.rules import Rules
from ledger.contracts.stub import Creator
from ledger.embedded.store import Reader
from ledger.protocol.envelope import Event
from ledger.protocol.proposal import Proposal
from ledger.protocol.rwset import Version


class Simulation(Rules):
    """A call over the store. `reading`: an evaluation, which may range and never writes."""

    def __init__(
        self, reader: Reader, proposal: Proposal, creator: Creator, hospitals: tuple[str, ...], *, reading: bool
    ) -> None:
        heading = proposal.heading
        super().__init__(
            channel=heading.channel,
            hospitals=hospitals,
            tx_id=heading.tx_id,
            now=heading.seconds,
            creator=creator,
            transient=proposal.transient,
            ranging=reading,
        )
        self.reads: dict[str, Version | None] = {}
        self._reader = reader
        self._fetched: dict[str, tuple[bytes, Version] | None] = {}

    @property
    def happened(self) -> Event | None:
        """The event, as the transaction carries it."""
        return None if self.announced is None else Event(self.announced, b"")

    def expect(self, keys: Sequence[str]) -> None:
        """One query for all; each counts as read once the contract reads it."""
        standing = self._reader.states(keys)
        self._fetched.update((key, standing.get(key)) for key in keys)

    def _find(self, key: str) -> bytes | None:
        found = self._fetched[key] if key in self._fetched else self._reader.state(key)
        self.reads[key] = None if found is None else found[1]
        return None if found is None else found[0]

    def _scan(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        return ((key, value) for key, value, _ in self._reader.scan(start, end))
