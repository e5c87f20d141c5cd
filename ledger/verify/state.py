"""The ledger's state as an auditor rebuilds it: every value ever, and which transaction wrote it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass

from ledger.protocol.rwset import Version


@dataclass(frozen=True, slots=True)
class Write:
    """A value that stood under a key from transaction `version` (block, place in it) on; None: it was deleted."""

    version: Version
    value: bytes | None


class State:
    """Keys and what was written under them, in the ledger's order. Only valid transactions write."""

    def __init__(self) -> None:
        self._history: dict[str, list[Write]] = {}
        self._standing: list[str] = []  # sorted by UTF-8 bytes, which is the order of code points
        self._unsorted: list[str] = []

    def value(self, key: str) -> bytes | None:
        history = self._history.get(key)
        return history[-1].value if history else None

    def version(self, key: str) -> Version | None:
        """Who wrote the value that stands; None where nothing stands."""
        history = self._history.get(key)
        return history[-1].version if history and history[-1].value is not None else None

    def history(self, key: str) -> tuple[Write, ...]:
        return tuple(self._history.get(key, ()))

    def write(self, key: str, value: bytes | None, version: Version) -> None:
        history = self._history.get(key)
        if history is None:
            self._history[key] = [Write(version, value)]
            self._unsorted.append(key)
        else:
            history.append(Write(version, value))

    def keys(self, start: str, end: str) -> Iterator[str]:
        """The keys that stand, `start` <= key < `end` (an empty `end`: to the last one), sorted."""
        self._sort()
        keys = self._standing
        for place in range(bisect_left(keys, start), bisect_left(keys, end) if end else len(keys)):
            if self.value(keys[place]) is not None:
                yield keys[place]

    def scan(self, start: str, end: str) -> Iterator[tuple[str, Version]]:
        """The same with the versions: what a range read must have seen."""
        for key in self.keys(start, end):
            if (version := self.version(key)) is not None:
                yield key, version

    def __len__(self) -> int:
        """How many keys stand."""
        return sum(1 for history in self._history.values() if history[-1].value is not None)

    def _sort(self) -> None:
        if len(self._unsorted) > 100:
            self._standing = sorted([*self._standing, *self._unsorted])
        else:
            for key in self._unsorted:
                insort(self._standing, key)
        self._unsorted.clear()


class States(dict[tuple[str, str], State]):
    """The state of each namespace and private collection in it ("" for what is public); of a collection, hashes."""

    def __missing__(self, key: tuple[str, str]) -> State:
        self[key] = State()
        return self[key]
