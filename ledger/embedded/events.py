"""Chaincode events as Fabric's Gateway service streams them, for clients that follow events and read no blocks.

Covenant's own client reads blocks, which also hold what was written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import chaincode_event_pb2

from ledger.embedded.committer import VALID
from ledger.embedded.node import Node
from ledger.errors import LedgerError
from ledger.protocol.block import TRANSACTIONS_FILTER
from ledger.protocol.envelope import open_envelope
from ledger.protocol.exact import parse


async def follow(node: Node, asked: Any) -> AsyncIterator[Any]:
    """Answers for a ChaincodeEventsRequest, one for each block with events, waiting for new ones, for ever.

    Starts as Fabric does: at the position named, else with the next block; transactions of the first block up to and
    including `after_transaction_id` are left out. Raises LedgerError `request.position`.
    """
    number, after = _start(node, asked), asked.after_transaction_id
    while True:
        await node.progress.growth(number)
        data = node.reader.block(number)
        assert data is not None  # progress says that it is there
        events = [event for event in events_of(data) if event.chaincode_id == asked.chaincode_id]
        if after:
            place = next((place for place, event in enumerate(events, 1) if event.tx_id == after), 0)
            events, after = events[place:], ""
        if events:
            yield gateway_pb2.ChaincodeEventsResponse(block_number=number, events=events)
        number += 1


def events_of(data: bytes) -> list[Any]:
    """The events of the valid transactions in one block's bytes, in order."""
    message = parse(common_pb2.Block, data, "block")
    if message.header.number == 0:  # the genesis block
        return []
    flags = message.metadata.metadata[TRANSACTIONS_FILTER]
    valid = [open_envelope(each) for each, code in zip(message.data.data, flags, strict=True) if code == VALID]
    return [
        chaincode_event_pb2.ChaincodeEvent(
            chaincode_id=each.heading.chaincode,
            tx_id=each.heading.tx_id,
            event_name=each.event.name,
            payload=each.event.payload,
        )
        for each in valid
        if each.event is not None
    ]


def _start(node: Node, asked: Any) -> int:
    kind = asked.start_position.WhichOneof("Type")
    if kind == "specified":
        return int(asked.start_position.specified.number)
    if kind in (None, "next_commit"):
        return node.progress.height
    raise LedgerError("request.position", "events start at a block's number or the next commit")
