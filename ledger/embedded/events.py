"""Chaincode events as the Gateway service streams them: read from blocks, the newest remembered."""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2

from ledger.embedded.committer import VALID
from ledger.embedded.node import Node
from ledger.errors import LedgerError
from ledger.protocol import block
from ledger.protocol.envelope import open_envelope
from ledger.protocol.exact import parse

REMEMBERED = 256  # blocks: several followers read each block at about the same time


class Announcements:
    """The events of each block, made once for all who follow."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._recent: OrderedDict[int, Any] = OrderedDict()

    async def follow(self, asked: Any) -> AsyncIterator[Any]:
        """Answers for a ChaincodeEventsRequest, block after block, waiting for new ones.

        Starts as Fabric does: at the position named, else with the next block; transactions of the first block up to
        and including `after_transaction_id` are left out. Raises LedgerError `request.position`.
        """
        number = self._start(asked)
        skipping = asked.after_transaction_id
        while True:
            await self._node.progress.growth(number)
            answer = self._answer(number)
            if skipping:
                answer, skipping = _after(answer, skipping), ""
            if answer.events and asked.chaincode_id == answer.events[0].chaincode_id:
                yield answer
            number += 1

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
            found = self._recent[number] = events_of(data)
            if len(self._recent) > REMEMBERED:
                self._recent.popitem(last=False)
        return found


def events_of(data: bytes) -> Any:
    """The ChaincodeEventsResponse for one block's bytes: events of its valid transactions, in order."""
    message = parse(common_pb2.Block, data, "block")
    answer = gateway_pb2.ChaincodeEventsResponse(block_number=message.header.number)
    if message.header.number == 0:
        return answer
    for envelope, code in zip(
        message.data.data, message.metadata.metadata[block.TRANSACTIONS_FILTER], strict=True
    ):
        if code == VALID and (transaction := open_envelope(envelope)).event is not None:
            heading = transaction.heading
            answer.events.add(
                chaincode_id=heading.chaincode, tx_id=heading.tx_id,
                event_name=transaction.event.name, payload=transaction.event.payload,
            )
    return answer


def _after(answer: Any, tx_id: str) -> Any:
    places = [place for place, event in enumerate(answer.events) if event.tx_id == tx_id]
    rest = answer.events[places[-1] + 1 :] if places else answer.events
    return gateway_pb2.ChaincodeEventsResponse(block_number=answer.block_number, events=rest)
