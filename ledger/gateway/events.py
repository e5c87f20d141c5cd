"""The contracts' events, in the ledger's order, for as long as one likes to listen.

with contract.events(start_block=0) as events:
    for event in events:
        ...
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import grpc
from fabric_protos.common import common_pb2

from ledger.gateway.blocks import newest, refused, request
from ledger.gateway.checkpointer import Checkpointer, MemoryCheckpointer
from ledger.gateway.connection import Absence, Connection
from ledger.gateway.errors import BlocksError, EventsError, translate
from ledger.gateway.event import Event, announced

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between attempts to reconnect, doubling, with jitter
ENDLESS = 2**64 - 1  # the number of a block that never comes
_TRANSIENT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.ABORTED}
_PASSING = {common_pb2.NOT_FOUND, common_pb2.SERVICE_UNAVAILABLE, common_pb2.INTERNAL_SERVER_ERROR}


class Events:
    """An endless iterator of Event from a checkpoint on; it reconnects by itself and repeats nothing.

    Only `close` (from any thread) ends it. A refusal (no access, another channel) raises EventsError, and so does a
    ledger that does not hold the last event seen: `gateway.ledger-behind` (it is shorter: an older copy was put back)
    or `gateway.checkpoint-unknown` (it went another way); and a peer that was away for longer than the connection's
    patience, `gateway.peer-away`. One thread iterates.
    """

    def __init__(self, connection: Connection, checkpointer: Checkpointer | None = None) -> None:
        self._connection = connection
        self._seen = MemoryCheckpointer((checkpointer or MemoryCheckpointer()).load())
        self._closed = threading.Event()
        self._call: Any = None
        self._pause = FIRST_PAUSE
        self._away = Absence(connection.patience)
        self._resumed = False  # the next answer is a stream's first
        self._source = self._events()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        return next(self._source)

    def __enter__(self) -> Events:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream: the iteration stops. May be called twice, and from another thread."""
        self._closed.set()
        if self._call is not None:
            self._call.cancel()

    def _events(self) -> Iterator[Event]:
        while not self._closed.is_set():
            try:
                self._check_height()
                for answer in self._listen():
                    if answer.WhichOneof("Type") == "status":
                        self._ended(answer.status)
                        break
                    self._pause = FIRST_PAUSE
                    self._away.over()
                    yield from self._fresh(answer.block)
            except ValueError as error:  # what gRPC raises on a channel that was closed
                raise EventsError("gateway.closed", "this gateway was closed: connect again") from error
            except grpc.RpcError as error:
                if self._closed.is_set():
                    return
                if error.code() not in _TRANSIENT:
                    raise translate(error, EventsError) from error
                if self._away.too_long():
                    raise self._away.error(EventsError) from error
            self._closed.wait(self._pause * random.uniform(0.5, 1))
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _check_height(self) -> None:
        """Never wait in silence for a shorter ledger to grow past the last event seen."""
        seen = self._seen.load()
        if seen.tx_id is None:
            return
        try:
            height = common_pb2.Block.FromString(newest(self._connection)).header.number + 1
        except BlocksError as error:
            if isinstance(error.__cause__, grpc.RpcError):
                raise error.__cause__ from None  # as if listening had failed: try again, or say why not
            raise EventsError(error.code, error.message, status=error.status) from error
        self._away.over()
        if height <= seen.block:
            raise EventsError(
                "gateway.ledger-behind",
                f"the ledger has {height} blocks, but an event of block {seen.block} was seen before: this is an older"
                " copy; stop it and restore the newest backup",
                block=seen.block,
                height=height,
            )

    def _listen(self) -> Any:
        """A new stream of blocks that begins with the block of the last event seen."""
        connection = self._connection
        asked = request(connection, self._seen.load().block, ENDLESS, wait=True)
        self._resumed = True
        self._call = connection.deliver.Deliver(iter([asked]))
        if self._closed.is_set():  # closed between the loop's check and the call
            self._call.cancel()
        return self._call

    def _ended(self, status: int) -> None:
        """Return if asking again may help, as where the first block to be told of is not there yet."""
        if status not in _PASSING:
            error = refused(status)
            raise EventsError(error.code, error.message, status=error.status)

    def _fresh(self, block: common_pb2.Block) -> Iterator[Event]:
        """The block's events after the last one seen. Whole blocks are read, so that `index` never shifts."""
        seen, first = self._seen.load(), 0
        resumed, self._resumed = self._resumed, False
        events = announced(block, self._connection.chaincode)
        if seen.tx_id is not None and resumed:
            ids = [event.tx_id for event in events]
            if block.header.number != seen.block or seen.tx_id not in ids:
                raise EventsError(
                    "gateway.checkpoint-unknown",
                    f"block {seen.block} has no event of {seen.tx_id}: the checkpoint belongs to another ledger",
                    block=seen.block,
                )
            first = ids.index(seen.tx_id) + 1
        for event in events[first:]:
            self._seen.save(event.position)
            yield event
