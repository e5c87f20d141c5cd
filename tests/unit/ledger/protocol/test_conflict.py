"""The multi-version check against a plain model: what was read must be what stands."""

from __future__ import annotations

from fabric_protos.peer import transaction_pb2
from hypothesis import given
from hypothesis import strategies as st

from ledger.protocol.rwset import RangeRead, ReadWriteSet, conflict

keys = st.sampled_from("abcdef")
versions = st.tuples(st.integers(1, 3), st.integers(0, 2))
states = st.dictionaries(keys, versions)


def check(state, rwset):
    return conflict(
        rwset, state.get, lambda start, end: [(key, state[key]) for key in sorted(state) if start <= key < end]
    )


@given(states, states, st.sets(keys))
def test_a_read_conflicts_exactly_when_its_version_has_changed(before, after, read):
    seen = ReadWriteSet(tuple((key, before.get(key)) for key in sorted(read)), ())
    changed = any(before.get(key) != after.get(key) for key in read)
    assert check(after, seen) == (transaction_pb2.MVCC_READ_CONFLICT if changed else transaction_pb2.VALID)


@given(states, states, keys, keys)
def test_a_range_conflicts_exactly_when_it_would_find_something_else(before, after, start, end):
    def inside(state):
        return tuple((key, state[key]) for key in sorted(state) if start <= key < end)

    seen = ReadWriteSet((), (), (RangeRead(start, end, True, inside(before)),))
    phantom = inside(before) != inside(after)
    assert check(after, seen) == (transaction_pb2.PHANTOM_READ_CONFLICT if phantom else transaction_pb2.VALID)


def test_a_range_left_early_is_judged_by_what_it_saw():
    seen = ReadWriteSet((), (), (RangeRead("a", "f", False, (("a", (1, 0)),)),))
    assert check({"a": (1, 0), "c": (2, 0)}, seen) == transaction_pb2.VALID
    assert check({"a": (1, 1)}, seen) == transaction_pb2.PHANTOM_READ_CONFLICT
