"""Fabric's own stream of events, for clients that read no blocks: by name, in order, from where they ask."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from fabric_protos.orderer import ab_pb2
from fabric_protos.peer import transaction_pb2

from ledger.gateway import rpc_status
from tests.support.chaincode_events import FIRST, follow
from tests.unit.ledger.embedded.wire import Wire

OLDEST = ab_pb2.SeekPosition(oldest=ab_pb2.SeekOldest())  # which Fabric refuses, too
VALID = transaction_pb2.VALID


def publish(wire: Any, name: str) -> str:
    tx_id, signed = wire.publish(name)
    wire.submit(tx_id, wire.endorse(tx_id, signed))
    assert wire.status(tx_id)[0] == VALID
    return str(tx_id)


def heard(answers: Iterator[Any], count: int) -> list[tuple[str, str]]:
    """(transaction, name) of the next `count` events."""
    found: list[tuple[str, str]] = []
    while len(found) < count:
        found += [(event.tx_id, event.event_name) for event in next(answers).events]
    return found


def refused(answers: Iterator[Any]) -> str:
    """The code of the stream's refusal."""
    with pytest.raises(grpc.RpcError) as refusal:
        next(answers)
    (detail,) = rpc_status.unpack(dict(refusal.value.trailing_metadata())[rpc_status.METADATA_KEY])
    return str(detail.message).partition(": ")[0]


def test_events_are_told_by_name_from_a_block_on_and_after_a_transaction(shared: Any) -> None:
    wire = Wire.to(shared)
    done = [publish(wire, f"told-{number}") for number in range(3)]
    everything = follow(wire.stub, wire.identity, FIRST)
    founded, *published = heard(everything, 4)
    assert founded[1] == "members.founded"
    assert published == [(tx_id, "consents.published") for tx_id in done]
    last = publish(wire, "told-while-following")
    assert heard(everything, 1) == [(last, "consents.published")]
    everything.cancel()  # type: ignore[attr-defined]
    block = ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=wire.status(done[1])[1]))
    rest = follow(wire.stub, wire.identity, block, after=done[1])
    assert [tx_id for tx_id, _ in heard(rest, 2)] == [done[2], last]
    rest.cancel()  # type: ignore[attr-defined]


def test_an_event_repeats_nothing_that_was_written(shared: Any) -> None:
    wire = Wire.to(shared)
    answers = follow(wire.stub, wire.identity, FIRST)
    assert {event.payload for event in next(answers).events} == {b""}
    answers.cancel()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("start", "channel", "code"),
    [(FIRST, "another", "channel.unknown"), (OLDEST, "covenant", "request.position")],
)
def test_what_cannot_be_followed_is_refused(shared: Any, start: Any, channel: str, code: str) -> None:
    wire = Wire.to(shared)
    assert refused(follow(wire.stub, wire.identity, start, channel=channel)) == code


def test_nobody_follows_under_another_name(shared: Any) -> None:
    wire = Wire.to(shared)
    wire.identity = SimpleNamespace(serialized=wire.identity.serialized, sign=lambda data: b"no signature")
    assert refused(follow(wire.stub, wire.identity, FIRST)).startswith("signature.")
