"""The orderer and the committing side of a peer, in one thread: transactions in, blocks on disk, outcomes out.

A block is cut when the queue is empty, or after a short linger when it pays: only while more is arriving anyway, so
that a lone client waits for nothing.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2

from ledger.embedded.store import Indexed, Reader, Store
from ledger.errors import LedgerError
from ledger.identity.msp import Identity
from ledger.protocol import block, rwset
from ledger.protocol.exact import serialise
from ledger.protocol.rwset import ReadWriteSet, Version

MOST = 500  # transactions in a block
LARGEST = 16 * 1024 * 1024  # bytes of transactions in a block, one transaction at least
LINGER = 0.020  # seconds to wait for a fuller block
RECENT = 0.003  # seconds: the last block is fresh
VALID, DUPLICATE = int(transaction_pb2.VALID), int(transaction_pb2.DUPLICATE_TXID)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pending:
    """A checked transaction waiting for its block."""

    tx_id: str
    envelope: bytes
    rwset: ReadWriteSet


@dataclass(frozen=True, slots=True)
class Outcome:
    """Block `number` holds these transactions; or `failure` says why none of them was written."""

    number: int
    pending: Sequence[Pending]
    codes: bytes = b""
    failure: LedgerError | None = None


@dataclass(slots=True)
class _Draft:
    """State as the valid transactions of the block being built leave it."""

    reader: Reader
    before: dict[str, Version]  # of all keys that the block's transactions read and that stood before it
    changes: dict[str, tuple[bytes | None, Version]] = field(default_factory=dict)

    def version(self, key: str) -> Version | None:
        if key in self.changes:
            value, at = self.changes[key]
            return None if value is None else at
        return self.before.get(key)

    def scan(self, start: str, end: str) -> Iterable[tuple[str, Version]]:
        merged = {key: at for key, _, at in self.reader.scan(start, end)}
        for key, (value, at) in self.changes.items():
            if start <= key and (not end or key < end):
                merged[key] = at
                if value is None:
                    del merged[key]
        return sorted(merged.items())


class Committer:
    """Orders, validates and writes. `done` is called in the committer's thread, after the block is on disk."""

    def __init__(self, store: Store, orderer: Identity, done: Callable[[Outcome], None]) -> None:
        self._store, self._orderer, self._done = store, orderer, done
        self._reader = store.reader()
        self._queue: queue.SimpleQueue[Pending | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="committer")
        self._header = serialise(common_pb2.SignatureHeader(creator=orderer.serialized, nonce=os.urandom(24)))
        self._number, self._previous = self._head()

    def start(self) -> None:
        self._thread.start()

    def put(self, pending: Pending) -> None:
        self._queue.put(pending)

    def stop(self) -> None:
        """Write what is queued, then end. Blocks until it is done."""
        self._queue.put(None)
        self._thread.join()
        self._reader.close()

    def commit(self, batch: Sequence[Pending]) -> Outcome:
        """Validate `batch` in its order and write it as the next block."""
        try:
            codes, draft, index = self._validate(batch)
            envelopes = [each.envelope for each in batch]
            hashed = block.data_hash(envelopes)
            data = self._seal(envelopes, hashed, codes)
            self._store.append(self._number, data, index, draft.changes)
        except LedgerError as error:
            log.error("block %d was not written: %s", self._number, error)
            return Outcome(self._number, batch, failure=error)
        outcome = Outcome(self._number, batch, codes)
        self._previous = block.header_hash(self._number, self._previous, hashed)
        self._number += 1
        return outcome

    def _validate(self, batch: Sequence[Pending]) -> tuple[bytes, _Draft, list[Indexed]]:
        read = sorted({key for each in batch for key, _ in each.rwset.reads})
        draft, codes, index = _Draft(self._reader, self._reader.versions(read)), bytearray(), []
        seen = self._reader.standing([each.tx_id for each in batch])
        for place, each in enumerate(batch):
            if each.tx_id in seen:
                codes.append(DUPLICATE)
                continue
            seen.add(each.tx_id)
            code = rwset.conflict(each.rwset, draft.version, draft.scan)
            if code == VALID:
                draft.changes.update((key, (value, (self._number, place))) for key, value in each.rwset.writes)
            codes.append(code)
            index.append(Indexed(each.tx_id, self._number, place, code))
        return bytes(codes), draft, index

    def _seal(self, envelopes: Sequence[bytes], hashed: bytes, codes: bytes) -> bytes:
        header = block.header_bytes(self._number, self._previous, hashed)
        signature = self._orderer.sign(block.orderer_value() + self._header + header)
        sealed = block.OrdererSignature(self._header, signature)
        return block.assemble(self._number, self._previous, hashed, envelopes, flags=codes, signatures=[sealed])

    def _head(self) -> tuple[int, bytes]:
        """The next block's number and the hash it names. Raises LedgerError `bytes.*`, `block.*` for a broken head."""
        height = self._reader.height()
        last = self._reader.block(height - 1)
        if last is None:
            raise LedgerError("ledger.damaged", "the ledger has no genesis block")
        return height, block.open_block(last).hash

    def _run(self) -> None:
        last_end, last_size = 0.0, 0
        while (first := self._queue.get()) is not None:
            fresh = last_size > 1 and time.perf_counter() - last_end < RECENT
            batch, more = self._gather(first, LINGER if fresh or not self._queue.empty() else 0.0)
            self._done(self._attempt(batch))
            last_end, last_size = time.perf_counter(), len(batch)
            if not more:
                return

    def _attempt(self, batch: Sequence[Pending]) -> Outcome:
        """As `commit`; a fault of the server itself fails this batch, is logged, and does not end the thread."""
        try:
            return self.commit(batch)
        except Exception:
            log.exception("block %d was not written", self._number)
            fault = LedgerError("ledger.failed", "the ledger failed; its log says more")
            return Outcome(self._number, batch, failure=fault)

    def _gather(self, first: Pending, linger: float) -> tuple[list[Pending], bool]:
        """The next block's transactions, and whether to go on after it.

        Sleeps through the linger: woken by every transaction, it would take the interpreter from those that come next.
        """
        time.sleep(linger)
        batch, size = [first], len(first.envelope)
        while len(batch) < MOST and size < LARGEST:
            try:
                each = self._queue.get_nowait()
            except queue.Empty:
                break
            if each is None:
                return batch, False
            batch.append(each)
            size += len(each.envelope)
        return batch, True
