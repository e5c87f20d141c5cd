"""Events come in order, once, and go on after a break; against a real embedded ledger."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ledger.errors import LedgerError
from ledger.gateway import EventsError, FileCheckpointer, MemoryCheckpointer, Position
from tests.unit.ledger.gateway.conftest import Server, organisations


def publish(gateway: object, name: str) -> object:
    text = {"text": name, "digests": {"en": "00" * 32}, "presets": ["heart-disease"]}
    return gateway.contract.submit("consents:PublishText", text)  # type: ignore[attr-defined]


def take(events: object, count: int) -> list[object]:
    return [next(events) for _ in range(count)]  # type: ignore[call-overload]


def test_events_carry_what_was_written_in_the_ledgers_order(ledger: SimpleNamespace) -> None:
    done = [publish(ledger.gateway, f"order-{number}") for number in range(3)]
    with ledger.gateway.contract.events() as events:
        found = take(events, 4)
    assert [each.name for each in found] == ["members.founded", *["consents.published"] * 3]
    assert [(each.block, each.tx_id) for each in found[1:]] == [(each.block, each.tx_id) for each in done]
    assert list(json.loads(found[1].payload)["records"]) == ["consents/text/order-0"]


def test_who_goes_on_sees_nothing_twice_and_misses_nothing(ledger: SimpleNamespace, tmp_path: Path) -> None:
    for number in range(3):
        publish(ledger.gateway, f"again-{number}")
    contract, seen, keep = ledger.gateway.contract, [], FileCheckpointer(tmp_path / "position")
    while len(seen) < 4:  # a new follower for every event
        with contract.events(checkpointer=keep) as events:
            event = next(events)
            seen.append(event)
            keep.save(event.position)
    with contract.events() as events:
        assert take(events, 4) == seen


def test_a_position_of_another_ledger_is_an_error_not_a_silent_gap(ledger: SimpleNamespace) -> None:
    with ledger.gateway.contract.events(ledger.founded.block, "00" * 32) as events, pytest.raises(EventsError) as error:
        next(events)
    assert error.value.code == "gateway.checkpoint-unknown"


def test_closing_from_another_thread_ends_the_iteration(ledger: SimpleNamespace) -> None:
    events = ledger.gateway.contract.events(start_block=10_000)
    threading.Timer(0.2, events.close).start()
    assert list(events) == []


def test_a_stranger_gets_no_events(ledger: SimpleNamespace) -> None:
    from ledger.identity.ca import Authority

    stranger = Authority.create("StrangerMSP", "ca.stranger").issue("site", ["site"])
    with (
        ledger.server.connect(stranger) as gateway,
        gateway.contract.events() as events,
        pytest.raises(EventsError) as error,
    ):
        next(events)
    assert (error.value.code, error.value.status) == ("blocks.denied", "FORBIDDEN")


def test_a_follower_outlives_the_ledgers_restart_and_writes_go_on(tmp_path: Path) -> None:
    server = Server(tmp_path / "ledger")
    server.start()
    try:
        with server.connect(server.issue("steward")) as gateway, gateway.contract.events() as events:
            gateway.contract.submit("members:Found", {"organisations": organisations()})
            assert next(events).name == "members.founded"
            server.stop(kill=True)
            server.start()
            for _ in range(50):
                try:
                    done = publish(gateway, "after")
                    break
                except LedgerError as error:  # the channel needs a moment to find the server again
                    assert error.status == "UNAVAILABLE"  # type: ignore[attr-defined]
                    threading.Event().wait(0.1)
            assert next(events).tx_id == done.tx_id
    finally:
        server.stop()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"block":-1,"tx_id":null}', '{"block":true,"tx_id":null}', "{}"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "position").write_text(text)
    with pytest.raises(LedgerError) as error:
        FileCheckpointer(tmp_path / "position").load()
    assert error.value.code == "checkpoint.malformed"


def test_a_checkpoint_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    nowhere = FileCheckpointer(tmp_path / "no" / "x")
    for act in (FileCheckpointer(tmp_path).load, lambda: nowhere.save(Position())):
        with pytest.raises(LedgerError) as error:
            act()
        assert error.value.code == "checkpoint.failed"


def test_a_checkpoint_is_replaced_whole(tmp_path: Path) -> None:
    keep = FileCheckpointer(tmp_path / "position")
    assert keep.load() == Position()
    for position in (Position(1, "ab" * 32), Position(7)):
        keep.save(position)
        assert FileCheckpointer(tmp_path / "position").load() == position
    assert [file.name for file in tmp_path.iterdir()] == ["position"]
    assert MemoryCheckpointer(Position(3)).load() == Position(3)


def test_who_has_another_peer_waits_for_this_one_no_longer_than_it_likes(tmp_path: Path) -> None:
    server = Server(tmp_path / "ledger")
    server.start()
    try:
        with server.connect(server.issue("steward"), patience=0.5) as gateway, gateway.contract.events() as events:
            gateway.contract.submit("members:Found", {"organisations": organisations()})
            assert next(events).name == "members.founded"
            server.stop(kill=True)
            begun = time.monotonic()
            with pytest.raises(EventsError) as error:
                next(events)
            assert (error.value.code, error.value.status) == ("gateway.peer-away", "UNAVAILABLE")
            assert 0.4 < time.monotonic() - begun < 10
    finally:
        server.stop()


def test_a_peer_that_stands_still_is_noticed_within_seconds(tmp_path: Path) -> None:
    """Its connections stay open and its machine accepts new ones: only what it does not answer tells."""
    server = Server(tmp_path / "ledger")
    server.start()
    try:
        with server.connect(server.issue("steward"), patience=0.5) as gateway, gateway.contract.events() as events:
            gateway.contract.submit("members:Found", {"organisations": organisations()})
            assert next(events).name == "members.founded"
            with server.standing_still():
                begun = time.monotonic()
                with pytest.raises(EventsError) as error:
                    next(events)
                assert (error.value.code, error.value.status) == ("gateway.peer-away", "UNAVAILABLE")
                assert time.monotonic() - begun < 25
                print(f"noticed after {time.monotonic() - begun:.1f} s")
    finally:
        server.stop()
