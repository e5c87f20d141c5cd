"""What a transaction read and wrote: Fabric's read/write sets, and the check that what it read still stands.

    TxReadWriteSet { data_model KV, ns_rwset [ { namespace, rwset: KVRWSet, collection_hashed_rwset } ] }

Reads and writes are sorted by key, as Fabric's builder sorts them. A version is (block, transaction in block) of the
write that was read. A contract touches its own namespace; a peer of Fabric adds what it read of `_lifecycle`, to find
out which contract code is in force, and `_lifecycle` itself keeps each organisation's approvals as hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Touched:
    """What a transaction did in one namespace. `hashed`: the same in each of its private collections, by name, where
    only hashes are public: keys and values are SHA-256, keys in hex.
    """

    namespace: str
    rwset: ReadWriteSet
    hashed: tuple[tuple[str, ReadWriteSet], ...] = ()

    @property
    def writes(self) -> bool:
        return bool(self.rwset.writes) or any(each.writes for _, each in self.hashed)


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


def read(data: bytes) -> tuple[Touched, ...]:
    """What a transaction did, namespace by namespace. Raises LedgerError `bytes.*`, `rwset.unsupported`,
    `rwset.unsorted`.
    """
    outer = parse(rwset_pb2.TxReadWriteSet, data, "read/write set")
    names = [each.namespace for each in outer.ns_rwset]
    if outer.data_model or not names or any(first >= second for first, second in pairwise(names)):
        raise LedgerError("rwset.unsupported", "a transaction touches namespaces, each named once and sorted")
    return tuple(_touched(each) for each in outer.ns_rwset)


def _touched(each: Any) -> Touched:
    inner = parse(kv_rwset_pb2.KVRWSet, each.rwset, "key/value set")
    if inner.metadata_writes:
        raise LedgerError("rwset.unsupported", "key-level endorsement policies are not used here")
    reads = tuple((item.key, _pair(item)) for item in inner.reads)
    writes = tuple((item.key, None if item.is_delete else item.value) for item in inner.writes)
    _check_sorted(reads, writes)
    ranges = tuple(_range(item) for item in inner.range_queries_info)
    hashed = tuple((item.collection_name, _hashed(item)) for item in each.collection_hashed_rwset)
    return Touched(each.namespace, ReadWriteSet(reads, writes, ranges), hashed)


def _hashed(collection: Any) -> ReadWriteSet:
    inner = parse(kv_rwset_pb2.HashedRWSet, collection.hashed_rwset, "hashed set")
    if inner.metadata_writes or any(item.is_purge for item in inner.hashed_writes):
        raise LedgerError("rwset.unsupported", "key-level endorsement policies and purges are not used here")
    reads = tuple((item.key_hash.hex(), _pair(item)) for item in inner.hashed_reads)
    writes = tuple((item.key_hash.hex(), None if item.is_delete else item.value_hash) for item in inner.hashed_writes)
    return ReadWriteSet(reads, writes)


def _check_sorted(*pairs: Sequence[tuple[str, object]]) -> None:
    for keys in pairs:
        if any(first[0] >= second[0] for first, second in pairwise(keys)):
            raise LedgerError("rwset.unsorted", "keys are sorted, and each stands once")


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


def _pair(item: Any) -> Version | None:
    return (item.version.block_num, item.version.tx_num) if item.HasField("version") else None


def _range(item: kv_rwset_pb2.RangeQueryInfo) -> RangeRead:
    if item.HasField("reads_merkle_hashes"):
        raise LedgerError("rwset.unsupported", "hashed range reads are not used here")
    found = [(entry.key, _pair(entry)) for entry in item.raw_reads.kv_reads]
    return RangeRead(
        item.start_key, item.end_key, item.itr_exhausted, tuple((key, at) for key, at in found if at is not None)
    )
