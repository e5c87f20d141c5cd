"""The contracts once more: each valid transaction is run again over the state it saw, and must do the same.

Transient data is gone from the blocks, and by the rules of the house it can only ever have caused a refusal: so
writes, event and response come out the same without it. What it was needed for (a patient's signature over a grant)
is attested by the endorsers alone, and is counted as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.contracts import host
from ledger.contracts.stub import Creator
from ledger.errors import Refused
from ledger.protocol.envelope import Event, Transaction
from ledger.protocol.rwset import ReadWriteSet, Version
from ledger.verify.errors import failed
from ledger.verify.state import State


class ReplayStub:
    """One transaction's view of the rebuilt state; it notes what is read and written. See
    ledger.contracts.stub.Stub.
    """

    replaying = True

    def __init__(self, transaction: Transaction, creator: Creator, state: State, hospitals: tuple[str, ...]) -> None:
        self.channel = transaction.heading.channel
        self.hospitals = hospitals
        self.tx_id = transaction.heading.tx_id
        self.now = transaction.heading.seconds
        self.creator = creator
        self.announced: Event | None = None
        self._state = state
        self._reads: dict[str, Version | None] = {}
        self._writes: dict[str, bytes | None] = {}

    def get(self, key: str) -> bytes | None:
        if key in self._writes:
            raise RuntimeError(f"{key} is read after it was written")
        self._reads[key] = self._state.version(key)
        return self._state.value(key)

    def expect(self, keys: Sequence[str]) -> None:
        """Nothing is fetched: the state is at hand."""

    def put(self, key: str, value: bytes) -> None:
        self._writes[key] = value

    def delete(self, key: str) -> None:
        self._writes[key] = None

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        raise RuntimeError("a transaction does not read ranges")

    def event(self, name: str) -> None:
        if self.announced is not None:
            raise RuntimeError("a transaction has one event")
        self.announced = Event(name, b"")

    def evidence(self) -> bytes | None:
        return None

    @property
    def seen(self) -> ReadWriteSet:
        return ReadWriteSet(tuple(sorted(self._reads.items())), tuple(sorted(self._writes.items())))


def replay(transaction: Transaction, creator: Creator, state: State, hospitals: tuple[str, ...]) -> bool:
    """Run `transaction` again on a channel of `hospitals` and compare.

    True when it rested on evidence that only the endorsers saw.

    Raises VerificationFailed `verify.replay-refused`, `verify.replay-reads`, `verify.replay-writes`,
    `verify.replay-event`, `verify.replay-response`.
    """
    stub = ReplayStub(transaction, creator, state, hospitals)
    try:
        response = host.invoke(stub, list(transaction.args))
        attested = host.find(list(transaction.args)).evidence is not None
    except Refused as error:
        raise failed(
            "replay-refused", f"the contracts refuse this transaction ({error}){_CODE}", cause=error.code
        ) from None
    seen = stub.seen
    for check, now, then in (
        ("replay-reads", seen.reads, transaction.rwset.reads),
        ("replay-writes", seen.writes, transaction.rwset.writes),
        ("replay-event", stub.announced, transaction.event),
        ("replay-response", response, transaction.response),
    ):
        if now != then:
            raise failed(check, f"the contracts, run again, do something else than this transaction says{_CODE}")
    return attested


_CODE = "; if the consortium ran other contract code than is installed here, verify with that code"
