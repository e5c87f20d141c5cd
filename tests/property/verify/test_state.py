"""The rebuilt state against the simplest one that could be right: a list of everything written."""

from __future__ import annotations

from fabric_protos.peer import transaction_pb2
from hypothesis import given
from hypothesis import strategies as st

from ledger.protocol import rwset
from ledger.verify.state import State

keys = st.text("abé\U0001f600", min_size=1, max_size=3)
writes = st.lists(st.tuples(keys, st.none() | st.binary(max_size=2)), max_size=150)
ends = st.text("abé\U0001f600", max_size=3)


def rebuilt(history: list[tuple[str, bytes | None]]) -> State:
    state = State()
    for place, (key, value) in enumerate(history):
        state.write(key, value, (1, place))
    return state


@given(writes, ends, ends)
def test_state_is_what_was_written_last(history: list[tuple[str, bytes | None]], start: str, end: str) -> None:
    state, last = rebuilt(history), {key: (value, (1, place)) for place, (key, value) in enumerate(history)}
    standing = {key: (value, at) for key, (value, at) in last.items() if value is not None}
    for key in {*last, "absent"}:
        assert state.value(key) == (standing[key][0] if key in standing else None)
        assert state.version(key) == (standing[key][1] if key in standing else None)
        assert [write.value for write in state.history(key)] == [value for name, value in history if name == key]
    ranged = sorted((key for key in standing if start <= key and (not end or key < end)), key=lambda key: key.encode())
    assert list(state.scan(start, end)) == [(key, standing[key][1]) for key in ranged]
    assert len(state) == len(standing)


@given(writes, writes, ends, ends)
def test_a_range_conflicts_exactly_when_what_it_saw_has_changed(
    before: list[tuple[str, bytes | None]], between: list[tuple[str, bytes | None]], start: str, end: str
) -> None:
    state = rebuilt(before)
    seen = tuple(state.scan(start, end))
    read = rwset.ReadWriteSet((), (), (rwset.RangeRead(start, end, True, seen),))
    for place, (key, value) in enumerate(between):
        state.write(key, value, (2, place))
    changed = tuple(state.scan(start, end)) != seen
    expected = transaction_pb2.PHANTOM_READ_CONFLICT if changed else transaction_pb2.VALID
    assert rwset.conflict(read, state.version, state.scan) == expected
