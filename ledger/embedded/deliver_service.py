"""The peer's Deliver service: whole blocks, to any member who signs for them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.peer import events_pb2, events_pb2_grpc

from ledger.embedded.node import Node
from ledger.errors import LedgerError
from ledger.protocol import seek

WINDOW = 15 * 60  # seconds a request's time may be off: Fabric's default authentication.timewindow


class DeliverService(events_pb2_grpc.DeliverServicer):  # type: ignore[misc]  # generated code is untyped
    """The servicer: one signed SeekInfo envelope in, blocks and a final status out. Filtered blocks are not served."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def Deliver(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            try:
                asked = self._check(request)
            except LedgerError as error:
                denied = error.code.startswith(("identity.", "signature."))
                yield _status(common_pb2.FORBIDDEN if denied else common_pb2.BAD_REQUEST)
                return
            async for answer in self._blocks(asked):
                yield answer

    def _check(self, request: Any) -> seek.Seek:
        asked = seek.open_seek(request.payload)
        now = time.time()
        if asked.channel != self._node.config.channel:
            raise LedgerError("channel.unknown", f"this ledger serves the channel {self._node.config.channel}")
        if abs(asked.seconds - now) > WINDOW:
            raise LedgerError("seek.clock-skew", f"the request's time is more than {WINDOW} s from the ledger's clock")
        self._node.validator.verify(asked.creator, request.signature, request.payload, now)
        return asked

    async def _blocks(self, asked: seek.Seek) -> AsyncIterator[Any]:
        newest = self._node.progress.height - 1
        number = newest if asked.start is None else asked.start
        stop = newest if asked.stop is None else asked.stop
        if stop < number:
            yield _status(common_pb2.BAD_REQUEST)
            return
        while number <= stop:
            if number >= self._node.progress.height and not asked.wait:
                yield _status(common_pb2.NOT_FOUND)
                return
            await self._node.progress.growth(number)
            data = self._node.reader.block(number)
            assert data is not None  # progress says that it is there
            yield events_pb2.DeliverResponse(block=common_pb2.Block.FromString(data))
            number += 1
        yield _status(common_pb2.SUCCESS)


def _status(code: int) -> Any:
    return events_pb2.DeliverResponse(status=code)
