"""Chaincode events as the Gateway service streams them: read from blocks, the newest remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2

from ledger.contracts.rules import CHAINCODE
from ledger.embedded.committer import VALID, Outcome
from ledger.embedded.node import Node
from ledger.errors import LedgerError
from ledger.protocol import block
from ledger.protocol.envelope import Event, open_envelope
from ledger.protocol.exact import parse

REMEMBERED = 256  # blocks: several followers read each block at about the same time


class Announcements:
    """The events of each block, made once for all who follow."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._recent: OrderedDict[int, Any] = OrderedDict()
        self._followers = 0
        node.progress.listeners.append(self._hear)

    async def follow(self, asked: Any) -> AsyncIterator[Any]:
        """Answers for a ChaincodeEventsRequest, block after block, waiting for new ones.

        Starts as Fabric does: at the position named, else with the next block; transactions of the first block up to
        and including `after_transaction_id` are left out. Raises LedgerError `request.position`.
        """
        number = self._start(asked)
        skipping = asked.after_transaction_id
        self._followers += 1
        try:
            while True:
                await self._node.progress.growth(number)
                answer = self._answer(number)
                if skipping:
                    answer, skipping = _after(answer, skipping), ""
                if answer.events and asked.chaincode_id == answer.events[0].chaincode_id:
                    yield answer
                number += 1
        finally:
            self._followers -= 1

    def _hear(self, outcome: Outcome) -> None:
        """Keep a new block's events while somebody follows: reading them out of the block again would cost more."""
        if self._followers:
            events = [
                (CHAINCODE, each.tx_id, each.event)
                for each, code in zip(outcome.pending, outcome.codes, strict=True)
                if code == VALID and each.event is not None
            ]
            self._keep(outcome.number, _response(outcome.number, events))

    def _start(self, asked: Any) -> int:
        kind = asked.start_position.WhichOneof("Type")
        if kind == "specified":
            return int(asked.start_position.specified.number)
        if kind == "oldest":
            return 0
        if kind in (None, "next_commit"):
            return self._node.progress.height
        raise LedgerError("request.position", "events start at a block's number, the oldest, or the next commit")

    def _answer(self, number: int) -> Any:
        found = self._recent.get(number)
        if found is None:
            data = self._node.reader.block(number)
            assert data is not None  # progress says that it is there
            found = events_of(data)
            self._keep(number, found)
        return found

    def _keep(self, number: int, answer: Any) -> None:
        self._recent[number] = answer
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)


def events_of(data: bytes) -> Any:
    """The ChaincodeEventsResponse for one block's bytes: events of its valid transactions, in order."""
    message = parse(common_pb2.Block, data, "block")
    number = message.header.number
    if number == 0:
        return _response(number, [])
    flags = message.metadata.metadata[block.TRANSACTIONS_FILTER]
    valid = [open_envelope(each) for each, code in zip(message.data.data, flags, strict=True) if code == VALID]
    return _response(
        number,
        [(each.heading.chaincode, each.heading.tx_id, each.event) for each in valid if each.event is not None],
    )


def _response(number: int, events: Iterable[tuple[str, str, Event]]) -> Any:
    answer = gateway_pb2.ChaincodeEventsResponse(block_number=number)
    for chaincode, tx_id, event in events:
        answer.events.add(chaincode_id=chaincode, tx_id=tx_id, event_name=event.name, payload=event.payload)
    return answer


def _after(answer: Any, tx_id: str) -> Any:
    places = [place for place, event in enumerate(answer.events) if event.tx_id == tx_id]
    rest = answer.events[places[-1] + 1 :] if places else answer.events
    return gateway_pb2.ChaincodeEventsResponse(block_number=answer.block_number, events=rest)
