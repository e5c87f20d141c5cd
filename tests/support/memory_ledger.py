"""The real contracts over a dictionary: a call is a transaction and a block, and whoever asks sees it at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consent import canonical
from consent.errors import CovenantError
from ledger.contracts.host import invoke
from ledger.contracts.stub import Creator
from training.federation.studies import Entry

CHANNEL = "covenant"


@dataclass
class MemoryStub:
    """ledger.contracts.stub.Stub: committed state below, writes beside it until the call has succeeded."""

    state: Mapping[str, bytes]
    tx_id: str
    now: int
    creator: Creator
    transient: bytes | None
    hospitals: tuple[str, ...]
    channel: str = CHANNEL
    replaying: bool = False
    writes: dict[str, bytes | None] = field(default_factory=dict)
    announced: str | None = None

    def get(self, key: str) -> bytes | None:
        assert key not in self.writes, f"{key} is read after it was written"
        return self.state.get(key)

    def expect(self, keys: Sequence[str]) -> None:
        """Nothing is fetched: the state is at hand."""

    def put(self, key: str, value: bytes) -> None:
        self.writes[key] = value

    def delete(self, key: str) -> None:
        self.writes[key] = None

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        assert not self.writes
        yield from sorted((key, value) for key, value in self.state.items() if start <= key < end)

    def event(self, name: str) -> None:
        assert self.announced is None
        self.announced = name

    def evidence(self) -> bytes | None:
        return self.transient


class MemoryLedger:
    """State, height and the calls that made them. `clock`: epoch seconds, contract time."""

    def __init__(self, clock: Callable[[], float], hospitals: Sequence[str]) -> None:
        self.clock, self.hospitals = clock, tuple(sorted(hospitals))
        self.state: dict[str, bytes] = {}
        self.blocks: dict[str, int] = {}
        self.height = 0
        self.calls: list[str] = []

    def submit(
        self, org: str, role: str, function: str, arguments: Mapping[str, Any], evidence: object | None = None
    ) -> tuple[Any, int]:
        """The contract's answer and the block; raises Refused and writes nothing."""
        tx_id = hashlib.sha256(f"{self.height}/{len(self.calls)}".encode()).hexdigest()
        transient = None if evidence is None else canonical.encode(evidence)
        creator = Creator(org, frozenset({role}), f"{role}.{org}")
        stub = MemoryStub(self.state, tx_id, int(self.clock()), creator, transient, self.hospitals)
        self.calls.append(function)
        answer = invoke(stub, [function.encode(), canonical.encode(dict(arguments))])
        self.height += 1
        for key, value in stub.writes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key], self.blocks[key] = value, self.height
        return canonical.decode(answer), self.height


class MemoryView:
    """training.federation.studies.LedgerView that has always followed everything."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self.fault: CovenantError | None = None

    def check(self) -> None:
        if self.fault:
            raise self.fault

    def header_hash(self, height: int) -> str | None:
        return hashlib.sha256(b"%d" % height).hexdigest() if 1 <= height <= self._ledger.height else None

    def height(self) -> int:
        return self._ledger.height

    def entry(self, key: str) -> Entry | None:
        data = self._ledger.state.get(key)
        return None if data is None else Entry(canonical.decode(data), self._ledger.blocks[key])

    def entries(self, prefix: str) -> Mapping[str, Entry]:
        return {key: entry for key in list(self._ledger.state) if key.startswith(prefix) and (entry := self.entry(key))}

    def reached(self, block: int, seconds: float) -> bool:
        return self._ledger.height >= block


class MemoryWriter:
    def __init__(self, ledger: MemoryLedger, org: str, role: str) -> None:
        self._ledger, self._org, self._role = ledger, org, role

    def submit(self, function: str, arguments: Mapping[str, Any]) -> int:
        return self._ledger.submit(self._org, self._role, function, arguments)[1]
