"""The mirror stands where the ledger stands: in order, once, and again after it was dropped."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from consent import canonical
from ledger.gateway import EventsError
from portal.patients import services
from portal.patients.models import Grant, Status
from portal.reactor import follow, projection, selectors
from portal.reactor.models import Event, Position, Record


@dataclass
class Happening:
    block: int
    index: int
    name: str
    payload: bytes
    tx_id: str = "0" * 64


def happening(block: int, index: int, records: dict[str, object], name: str = "test.happened") -> Happening:
    return Happening(block, index, name, canonical.encode({"records": records}), f"{block:032x}{index:032x}")


keys = st.sampled_from(["a/1", "a/2", "b/1", "B/1", "a"])
histories = st.lists(st.dictionaries(keys, st.one_of(st.none(), st.integers(0, 9))), max_size=12)


class Laws(TestCase):
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(histories, st.integers(1, 5), st.data())
    def test_the_mirror_is_the_last_value_however_events_are_cut(self, history, width, data):
        sources = [happening(1 + n // width, n % width, records) for n, records in enumerate(history)]
        expected: dict[str, object] = {}
        for records in history:
            expected |= records
        at = data.draw(st.integers(0, len(sources)))
        again = data.draw(st.integers(0, at))
        projection.apply(sources[:at])
        projection.apply(sources[again:])  # what was seen comes again after a reconnect
        projection.apply(sources)
        standing = {key: value for key, value in expected.items() if value is not None}
        assert dict(Record.objects.values_list("key", "body")) == standing
        assert Event.objects.count() == len(sources)
        assert dict(selectors.items("a/")) == {key: value for key, value in standing.items() if key.startswith("a/")}


@pytest.mark.django_db
def test_a_handler_that_fails_leaves_nothing_behind(monkeypatch):
    projection.apply([happening(1, 0, {"a": 1})])

    def fail(event):
        raise RuntimeError

    monkeypatch.setattr(projection, "handlers", lambda: {"test.bad": (fail,)})
    with pytest.raises(RuntimeError):
        projection.apply([happening(2, 0, {"a": 2}), happening(2, 1, {"a": 3}, "test.bad")])
    assert selectors.record("a") == 1 and selectors.height() == 1 and Event.objects.count() == 1


@pytest.mark.django_db
def test_a_handler_sees_the_mirror_at_its_own_event(monkeypatch):
    seen = []
    monkeypatch.setattr(
        projection, "handlers", lambda: {"test.look": (lambda event: seen.append(selectors.record("a")),)}
    )
    projection.apply([happening(1, 0, {"a": 1}, "test.look"), happening(1, 1, {"a": 2}, "test.look")])
    assert seen == [1, 2]


@pytest.mark.django_db
def test_a_rebuilt_projection_is_the_same(catch_up, new_patient):
    now = services.this_month()
    patient, other = new_patient(), new_patient()
    services.give(patient=patient, preset="cancer", valid_from=now, valid_until="2040-01")
    kept = services.give(patient=other, preset="cancer", valid_from=now, valid_until="2040-01")
    catch_up()
    services.withdraw(grant=patient.grants.get())
    catch_up()
    tables = [Record.objects.order_by("key"), Event.objects.all(), Grant.objects.order_by("pk")]
    before = [list(table.values()) for table in tables]
    place = Position.objects.values_list("block", "index", "tx_id").get()
    assert follow.rebuild() == len(before[1])
    for kind, table in zip(before, tables, strict=True):
        for old, new in zip(kind, table.values(), strict=True):
            assert {**old, "id": 0, "seen": 0} == {**new, "id": 0, "seen": 0}
    assert Position.objects.values_list("block", "index", "tx_id").get() == place
    kept.refresh_from_db()
    assert kept.status == Status.RECORDED


@pytest.mark.django_db(transaction=True)
def test_the_follower_stops_when_told_and_goes_on_where_it_was(ledger, new_patient):
    stop = threading.Event()
    with follow.stream() as events:
        for new in follow.run(events, stop):
            if new and selectors.height() >= 2:
                stop.set()
    assert selectors.height() >= 2
    place = Position.objects.get()
    stop.clear()
    services.give(patient=new_patient(), preset="cancer", valid_from=services.this_month(), valid_until="2040-01")
    with follow.stream() as events:
        for new in follow.run(events, stop):
            if new and Grant.objects.filter(status=Status.RECORDED).exists():
                stop.set()
    assert (Position.objects.get().block, Position.objects.get().index) > (place.block, place.index)


@pytest.mark.django_db
def test_an_older_or_another_ledger_is_noticed_and_the_mirror_left_alone(catch_up):
    head = catch_up()
    place = Position.objects.get()
    for block, code in ((head + 7, "gateway.ledger-behind"), (place.block, "gateway.checkpoint-unknown")):
        Position.objects.update(block=block, tx_id="f" * 64)
        before = [list(table.objects.order_by("id").values()) for table in (Position, Record, Event)]
        for act in (follow.catch_up, follow.rebuild):
            with pytest.raises(EventsError) as refused:
                act()
            assert refused.value.code == code
        assert [list(table.objects.order_by("id").values()) for table in (Position, Record, Event)] == before


@pytest.mark.django_db(transaction=True)
def test_the_follower_says_so_and_waits_for_the_right_ledger(catch_up):
    right = catch_up()
    stop = threading.Event()
    Position.objects.update(block=right + 7)
    told = []

    def tell(event, code, reason):
        told.append(code)
        stop.set()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(follow.log, "error", tell)
        follow.follow(stop)
    assert told == ["portal.ledger-behind"] and selectors.height() == right + 7
