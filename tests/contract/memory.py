"""A ledger in memory: the contracts' Stub over a dictionary, one transaction at a time, with a clock that tests move.

It keeps the rules of the house that a Stub enforces, and nothing else: no signatures, no blocks, no conflicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from consent import canonical
from ledger.contracts import host
from ledger.contracts.stub import Creator
from tests.contract.world import HOSPITALS

START = 1_790_000_000  # 2026-09-21, a Monday


class MemoryStub:
    """One call's view of a MemoryLedger."""

    channel = "covenant"
    hospitals = HOSPITALS

    def __init__(
        self, ledger: MemoryLedger, creator: Creator, evidence: bytes | None, *, reading: bool, replaying: bool = False
    ) -> None:
        self.now, self.creator, self.replaying = ledger.now, creator, replaying
        self.tx_id = f"{len(ledger.events):064x}"
        self.writes: dict[str, bytes | None] = {}
        self.announced: str | None = None
        self.unread: set[str] = set()  # of what was expected
        self._ledger, self._evidence, self._reading = ledger, evidence, reading

    def get(self, key: str) -> bytes | None:
        assert key not in self.writes, f"{key} is read after it was written"
        self.unread.discard(key)
        return self._ledger.state.get(key)

    def expect(self, keys: Sequence[str]) -> None:
        self.unread.update(keys)

    def put(self, key: str, value: bytes) -> None:
        assert value
        self.writes[key] = value

    def delete(self, key: str) -> None:
        self.writes[key] = None

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        assert self._reading, "a range read in a transaction"
        return iter([(key, value) for key, value in sorted(self._ledger.state.items()) if start <= key < end])

    def event(self, name: str) -> None:
        assert self.announced is None, "a second event"
        self.announced = name

    def evidence(self) -> bytes | None:
        return None if self.replaying else self._evidence


@dataclass
class Call:
    """One transaction as it was asked for, refused or not, so that it can be run again: see test_determinism."""

    who: str
    now: int
    args: list[bytes]
    evidence: bytes | None


@dataclass
class MemoryLedger:
    """`who` is "<msp>.<role>[,<role>]": the certificate's organisation and roles."""

    now: int = START
    state: dict[str, bytes] = field(default_factory=dict)
    events: list[tuple[str, Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def submit(self, who: str, function: str, arguments: Any, evidence: Any = None) -> Any:
        """Run a transaction and commit what it wrote; raises Refused, and then nothing has changed."""
        transient = None if evidence is None else canonical.encode(evidence)
        call = Call(who, self.now, [function.encode(), canonical.encode(arguments)], transient)
        self.calls.append(call)
        stub = self.run(call)
        return canonical.decode(stub.answer)

    def run(self, call: Call) -> Any:
        stub: Any = MemoryStub(self, creator(call.who), call.evidence, reading=False)
        stub.answer = host.invoke(stub, call.args)
        assert not stub.unread, "a Fabric peer's host refuses a call that does not read what it expected"
        assert (stub.announced is None) == (not stub.writes), "what is written is announced, and nothing else"
        for key, value in stub.writes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        if stub.announced is not None:
            records = {key: value and canonical.decode(value) for key, value in stub.writes.items()}
            self.events.append((stub.announced, records))
        return stub

    def evaluate(self, who: str, function: str, arguments: Any) -> Any:
        stub = MemoryStub(self, creator(who), None, reading=True)
        return canonical.decode(host.invoke(stub, [function.encode(), canonical.encode(arguments)]))

    def mark(self) -> object:
        """Equal before and after, when nothing was written in between."""
        return dict(self.state)

    def record(self, key: str) -> Any:
        return canonical.decode(self.state[key])


def creator(who: str) -> Creator:
    organisation, _, roles = who.partition(".")
    return Creator(organisation, frozenset(roles.split(",")) if roles else frozenset(), f"{roles} of {organisation}")
