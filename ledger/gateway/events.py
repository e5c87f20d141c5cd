"""The contracts' events, in the ledger's order, for as long as one likes to listen.

with contract.events(start_block=0) as events:
    for event in events:
        ...
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.orderer import ab_pb2

from ledger.gateway.blocks import newest
from ledger.gateway.checkpointer import Checkpointer, MemoryCheckpointer, Position
from ledger.gateway.connection import Absence, Connection
from ledger.gateway.errors import BlocksError, EventsError, translate

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between attempts to reconnect, doubling, with jitter
_TRANSIENT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.ABORTED}


@dataclass(frozen=True, slots=True)
class Event:
    """What a valid transaction announced. `index` counts the events of block `block` from 0; `payload` is canonical
    JSON.
    """

    block: int
    tx_id: str
    index: int
    name: str
    payload: bytes

    @property
    def position(self) -> Position:
        return Position(self.block, self.tx_id)


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
                    self._pause = FIRST_PAUSE
                    self._away.over()
                    yield from self._fresh(answer)
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
        """A new stream that begins with the block of the last event seen."""
        connection = self._connection
        start = ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=self._seen.load().block))
        request = gateway_pb2.ChaincodeEventsRequest(
            channel_id=connection.channel,
            chaincode_id=connection.chaincode,
            identity=connection.signer.serialized,
            start_position=start,
        ).SerializeToString()
        signed = gateway_pb2.SignedChaincodeEventsRequest(request=request, signature=connection.signer.sign(request))
        self._resumed = True
        self._call = connection.gateway.ChaincodeEvents(signed)
        if self._closed.is_set():  # closed between the loop's check and the call
            self._call.cancel()
        return self._call

    def _fresh(self, answer: gateway_pb2.ChaincodeEventsResponse) -> Iterator[Event]:
        """The block's events after the last one seen. Whole blocks are asked for, so that `index` never shifts."""
        seen, first = self._seen.load(), 0
        resumed, self._resumed = self._resumed, False
        if seen.tx_id is not None and resumed:  # the block of the last event seen has one, so it comes first
            ids = [event.tx_id for event in answer.events]
            if answer.block_number != seen.block or seen.tx_id not in ids:
                raise EventsError(
                    "gateway.checkpoint-unknown",
                    f"block {seen.block} has no event of {seen.tx_id}: the checkpoint belongs to another ledger",
                    block=seen.block,
                )
            first = ids.index(seen.tx_id) + 1
        for index, event in enumerate(answer.events[first:], first):
            found = Event(answer.block_number, event.tx_id, index, event.event_name, event.payload)
            self._seen.save(found.position)
            yield found
