"""What a transaction read and wrote: Fabric's read/write sets, and the check that what it read still stands.

    TxReadWriteSet { data_model KV, ns_rwset [ { namespace, rwset: KVRWSet } ] }

Reads and writes are sorted by key, as Fabric's builder sorts them. A version is (block, transaction in block) of the
write that was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2
from fabric_protos.peer import transaction_pb2

from ledger.errors import LedgerError
from ledger.protocol.exact import parse, serialise

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class RangeRead:
    """Keys from `start` on, before `end`, that a transaction saw; `exhausted`: it read to the end."""

    start: str
    end: str
    exhausted: bool
    found: tuple[tuple[str, Version], ...]


@dataclass(frozen=True, slots=True)
class ReadWriteSet:
    """`reads`: key -> version, None where nothing stood. `writes`: key -> value, None for a deletion."""

    reads: tuple[tuple[str, Version | None], ...]
    writes: tuple[tuple[str, bytes | None], ...]
    ranges: tuple[RangeRead, ...] = ()


def build(namespace: str, reads: dict[str, Version | None], writes: dict[str, bytes | None]) -> bytes:
    """The bytes of one namespace's read/write set."""
    inner = kv_rwset_pb2.KVRWSet(
        reads=[
            kv_rwset_pb2.KVRead(key=key, version=None if at is None else _version(at))
            for key, at in sorted(reads.items())
        ],
        writes=[
            kv_rwset_pb2.KVWrite(key=key, value=value)
            if value is not None
            else kv_rwset_pb2.KVWrite(key=key, is_delete=True)
            for key, value in sorted(writes.items())
        ],
    )
    outer = rwset_pb2.NsReadWriteSet(namespace=namespace, rwset=serialise(inner))
    return serialise(rwset_pb2.TxReadWriteSet(data_model=rwset_pb2.TxReadWriteSet.KV, ns_rwset=[outer]))


def read(data: bytes, namespace: str) -> ReadWriteSet:
    """Read a set that touches `namespace` alone. Raises LedgerError `bytes.*`, `rwset.unsupported`,
    `rwset.unsorted`.
    """
    outer = parse(rwset_pb2.TxReadWriteSet, data, "read/write set")
    if len(outer.ns_rwset) != 1 or outer.ns_rwset[0].namespace != namespace or outer.data_model:
        raise LedgerError("rwset.unsupported", f"a transaction touches the namespace {namespace} alone")
    if outer.ns_rwset[0].collection_hashed_rwset:
        raise LedgerError("rwset.unsupported", "private data collections are not used here")
    inner = parse(kv_rwset_pb2.KVRWSet, outer.ns_rwset[0].rwset, "key/value set")
    if inner.metadata_writes:
        raise LedgerError("rwset.unsupported", "key-level endorsement policies are not used here")
    reads = tuple((item.key, _pair(item)) for item in inner.reads)
    writes = tuple((item.key, None if item.is_delete else item.value) for item in inner.writes)
    for keys in ([key for key, _ in reads], [key for key, _ in writes]):
        if any(first >= second for first, second in zip(keys, keys[1:], strict=False)):
            raise LedgerError("rwset.unsorted", "keys are sorted, and each stands once")
    return ReadWriteSet(reads, writes, tuple(_range(item) for item in inner.range_queries_info))


def conflict(
    rwset: ReadWriteSet,
    version: Callable[[str], Version | None],
    scan: Callable[[str, str], Iterable[tuple[str, Version]]],
) -> int:
    """Fabric's multi-version check: VALID, MVCC_READ_CONFLICT or PHANTOM_READ_CONFLICT (peer.TxValidationCode).

    `version` and `scan` (start, end) answer from the state as the valid transactions before this one left it.
    Fabric: core/ledger/kvledger/txmgmt/validation, validateKVRead and validateRangeQuery.
    """
    if any(version(key) != at for key, at in rwset.reads):
        return int(transaction_pb2.MVCC_READ_CONFLICT)
    for seen in rwset.ranges:
        now = list(scan(seen.start, seen.end))
        if not seen.exhausted:  # the reader stopped early: only what it saw must be unchanged
            now = now[: len(seen.found)]
        if tuple(now) != seen.found:
            return int(transaction_pb2.PHANTOM_READ_CONFLICT)
    return int(transaction_pb2.VALID)


def _version(at: Version) -> kv_rwset_pb2.Version:
    return kv_rwset_pb2.Version(block_num=at[0], tx_num=at[1])


def _pair(item: kv_rwset_pb2.KVRead) -> Version | None:
    return (item.version.block_num, item.version.tx_num) if item.HasField("version") else None


def _range(item: kv_rwset_pb2.RangeQueryInfo) -> RangeRead:
    if item.HasField("reads_merkle_hashes"):
        raise LedgerError("rwset.unsupported", "hashed range reads are not used here")
    found = [(entry.key, _pair(entry)) for entry in item.raw_reads.kv_reads]
    return RangeRead(
        item.start_key, item.end_key, item.itr_exhausted, tuple((key, at) for key, at in found if at is not None)
    )
