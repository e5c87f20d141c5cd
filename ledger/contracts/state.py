"""The ledger as a contract sees it: typed records under keys, and one event for everything written.

Three rules of the house live here, so that no contract can forget them: a key is not read after it was written, a
transaction does not read ranges, and whatever is written is announced in exactly one event (which makes any projection
that follows the events a mirror of the state).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Executor
from functools import cache, partial
from typing import Any, TypeVar

import msgspec

from consent import canonical
from consent.canonical import Document
from ledger.contracts.stub import Creator, Stub
from ledger.errors import Refused

R = TypeVar("R", bound=Document)
T = TypeVar("T")
A = TypeVar("A")
CHUNK = 64  # items a helper takes at once


class Ledger:
    """One call's view of the ledger."""

    def __init__(self, stub: Stub, pool: Executor | None = None) -> None:
        self._stub = stub
        self._pool = pool
        self._written: set[str] = set()
        self.channel: str = stub.channel
        self.hospitals: tuple[str, ...] = stub.hospitals
        self.now: int = stub.now
        self.creator: Creator = stub.creator
        self.replaying: bool = stub.replaying

    def find(self, key: str, kind: type[R]) -> R | None:
        """The committed record under `key`, or None."""
        if key in self._written:
            raise RuntimeError(f"{key} is read after it was written: state read is always committed state")
        value = self._stub.get(key)
        record: R | None = None if value is None else decoder(kind).decode(value)
        return record

    def expect(self, keys: Sequence[str]) -> None:
        """Tell the host that each of `keys` is found next, so that it may fetch them together; all must be read."""
        self._stub.expect(keys)

    def put(self, key: str, record: Document) -> None:
        """Write `record`; once a key and transaction."""
        if key in self._written:
            raise RuntimeError(f"{key} is written twice in one transaction")
        self._written.add(key)
        self._stub.put(key, written(record))

    def scan(self, prefix: str, kind: type[R], *, after: str = "", limit: int | None = None) -> Iterator[tuple[str, R]]:
        """The records whose keys start with `prefix` (it ends with a slash), past the key `after`; queries only."""
        start = max(prefix, after + "\x01") if after else prefix
        for number, (key, value) in enumerate(self._stub.range(start, prefix[:-1] + "0")):  # "0" follows "/"
            if limit is not None and number >= limit:
                return
            yield key, decoder(kind).decode(value)

    def announce(self, event: str) -> None:
        """Emit `event`, if anything was written."""
        if self._written:
            self._stub.event(event)

    def each(self, work: Callable[[A], T], items: Sequence[A]) -> list[T]:
        """`work` done on every item, by the host's helpers if it lends any; results in the order of the items.

        `work` must depend on its item alone and touch no state. Helpers may be other processes: `work`, the items and
        the results are such as pickle takes.
        """
        if self._pool is None or len(items) <= CHUNK:
            return _each(work, items)
        chunks = [items[first : first + CHUNK] for first in range(0, len(items), CHUNK)]
        return [done for part in self._pool.map(partial(_each, work), chunks) for done in part]

    @property
    def clean(self) -> bool:
        """Whether nothing has been written."""
        return not self._written


def agree(standing: Document, offered: Document, code: str, *set_by_ledger: str) -> None:
    """Return quietly if both say the same, but for the fields that the ledger sets; this makes every write repeatable.

    Raises Refused `code` and names the fields that differ.
    """
    differ = [
        name
        for name in standing.__struct_fields__
        if name not in set_by_ledger and getattr(standing, name) != getattr(offered, name)
    ]
    if differ:
        raise Refused(
            code, "this id already stands for something else: look at what stands, or choose a new id", fields=differ
        )


def written(value: object) -> bytes:
    """The canonical JSON of our own records, as `canonical.encode` gives it, without its search for misfits."""
    return _ENCODER.encode(value)


def read(data: bytes, kind: type[T]) -> T:
    """What `canonical.decode_as` gives, faster where `data` spells out every field.

    If the value, written again, is `data`, then `data` is canonical: names are those of `kind` (ASCII), integers have
    the bounds of `fields`, and floats have no place in any kind. Everything else is left to the slow way, and its
    refusals.
    """
    try:
        value: T = decoder(kind).decode(data)  # type: ignore[arg-type]  # a type is hashable, whatever its TypeVar
        if written(value) == data:
            return value
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    return canonical.decode_as(data, kind)


def _each(work: Callable[[A], T], items: Sequence[A]) -> list[T]:
    return [work(item) for item in items]


@cache
def decoder(kind: Hashable) -> Any:
    """The msgspec decoder of a kind of value, made once."""
    return msgspec.json.Decoder(kind)


_ENCODER = msgspec.json.Encoder(order="sorted")
