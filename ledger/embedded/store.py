"""Blocks, state and the index of transactions in one SQLite database, always changed together.

WAL with synchronous=FULL: a block that `append` has returned from survives a crash of the process and of the machine,
and one it has not returned from is there whole or not at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError
from ledger.protocol.rwset import Version

_SCHEMA = """
create table if not exists block (number integer primary key, bytes blob not null);
create table if not exists state (key text primary key, value blob not null, block integer not null, tx integer not
null)
    without rowid;
create table if not exists tx (id blob primary key, block integer not null, tx integer not null, code integer not null)
    without rowid;
"""
TOGETHER = 500  # keys in one query; SQLite takes at least 999
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}


@dataclass(frozen=True, slots=True)
class Indexed:
    """A transaction in the index: `id` hex, its block and place, its validation code."""

    id: str
    block: int
    place: int
    code: int


class Reader:
    """One connection for reading; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._database = _connect(path)
        self._database.execute("pragma query_only = on")

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Everything read inside is of one moment."""
        self._database.execute("begin")
        try:
            yield self
        finally:
            self._database.execute("commit")

    def state(self, key: str) -> tuple[bytes, Version] | None:
        row = self._database.execute("select value, block, tx from state where key = ?", (key,)).fetchone()
        return None if row is None else (row[0], (row[1], row[2]))

    def states(self, keys: Sequence[str]) -> dict[str, tuple[bytes, Version]]:
        """What `state` finds under `keys`, faster than key by key; those under which nothing stands are left out."""
        return {key: (value, (block, tx)) for key, value, block, tx in self._many("key, value, block, tx", keys)}

    def versions(self, keys: Sequence[str]) -> dict[str, Version]:
        """As `states`, without the values."""
        return {key: (block, tx) for key, block, tx in self._many("key, block, tx", keys)}

    def scan(self, start: str, end: str) -> Iterator[tuple[str, bytes, Version]]:
        """Committed pairs with start <= key < end, by the keys' UTF-8 bytes; an empty `end` is the end of the state."""
        query = "select key, value, block, tx from state where key >= ?"
        rows = (
            self._database.execute(query + " and key < ? order by key", (start, end))
            if end
            else self._database.execute(query + " order by key", (start,))
        )
        for key, value, block, tx in rows:
            yield key, value, (block, tx)

    def block(self, number: int) -> bytes | None:
        row = self._database.execute("select bytes from block where number = ?", (number,)).fetchone()
        return None if row is None else bytes(row[0])

    def height(self) -> int:
        """How many blocks there are."""
        (last,) = self._database.execute("select max(number) from block").fetchone()
        return 0 if last is None else int(last) + 1

    def transaction(self, tx_id: str) -> Indexed | None:
        """The first transaction of this id."""
        row = self._database.execute("select block, tx, code from tx where id = ?", (_id(tx_id),)).fetchone()
        return None if row is None else Indexed(tx_id, *row)

    def standing(self, tx_ids: Sequence[str]) -> set[str]:
        """Those of `tx_ids` under which a transaction stands."""
        return {row[0].hex() for row in self._among("select id from tx where id", [_id(each) for each in tx_ids])}

    def _many(self, columns: str, keys: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        return self._among(f"select {columns} from state where key", keys)  # noqa: S608

    def _among(self, query: str, values: Sequence[str | bytes]) -> Iterator[tuple[Any, ...]]:
        for first in range(0, len(values), TOGETHER):
            part = values[first : first + TOGETHER]
            yield from self._database.execute(f"{query} in ({','.join('?' * len(part))})", part)


class Store:
    """The one writer. `reader()` gives connections for everybody else."""

    def __init__(self, path: Path) -> None:
        """Open or make the database. Raises LedgerError `ledger.disk-full`, `ledger.damaged`."""
        self.path = path
        try:
            self._database = _connect(path)
            self._database.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise _translate(error) from error

    def reader(self) -> Reader:
        return Reader(self.path)

    def close(self) -> None:
        self._database.close()

    def append(
        self,
        number: int,
        block: bytes,
        transactions: Iterable[Indexed],
        changes: Mapping[str, tuple[bytes | None, Version]],
    ) -> None:
        """Write block `number` with what its valid transactions changed (None: deleted), in one transaction.

        Raises LedgerError `ledger.disk-full` or `ledger.damaged`; then nothing of it is written.
        """
        try:
            self._database.execute("begin immediate")
            self._database.execute("insert into block values (?, ?)", (number, block))
            self._database.executemany(
                "insert into tx values (?, ?, ?, ?)",
                [(_id(each.id), each.block, each.place, each.code) for each in transactions],
            )
            self._write_state(changes)
            self._database.execute("commit")
        except sqlite3.Error as error:
            self._undo()
            raise _translate(error) from error

    def limit(self, pages: int) -> None:
        """Never let the database grow past `pages` pages of 4096 bytes (a quota; SQLite then says the disk is full)."""
        self._database.execute(f"pragma max_page_count = {int(pages)}")

    def _write_state(self, changes: Mapping[str, tuple[bytes | None, Version]]) -> None:
        written = [(key, value, *at) for key, (value, at) in changes.items() if value is not None]
        self._database.executemany(
            "insert into state values (?, ?, ?, ?) "
            "on conflict (key) do update set value = excluded.value, block = excluded.block, tx = excluded.tx",
            written,
        )
        gone = [(key,) for key, (value, _) in changes.items() if value is None]
        if gone:
            self._database.executemany("delete from state where key = ?", gone)

    def _undo(self) -> None:
        if self._database.in_transaction:
            self._database.execute("rollback")


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, cached_statements=64)
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = full")
    database.execute("pragma busy_timeout = 5000")
    return database


def _id(tx_id: str) -> bytes:
    return bytes.fromhex(tx_id)


def _translate(error: sqlite3.Error) -> LedgerError:
    code = getattr(error, "sqlite_errorcode", 0)
    if code in _FULL:
        return LedgerError(
            "ledger.disk-full", "the disk is full: nothing was written; free some space and submit again"
        )
    return LedgerError("ledger.damaged", f"the ledger's database cannot be used: {error}")
