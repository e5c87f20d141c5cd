"""The service that a peer calls: it opens one stream, over which it then sends transactions."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import Executor
from typing import Any

from fabric_protos.peer import chaincode_event_pb2, chaincode_shim_pb2_grpc, proposal_response_pb2

from ledger.chaincode.metrics import Metrics
from ledger.chaincode.simulation import Message, Simulation
from ledger.chaincode.stream import Aside, Stream, Transaction
from ledger.chaincode.transaction import open_transaction
from ledger.contracts import host
from ledger.errors import LedgerError
from ledger.identity.validation import creator_of

log = logging.getLogger(__name__)

OK, REFUSED = 200, 500


class ChaincodeService(chaincode_shim_pb2_grpc.ChaincodeServicer):  # type: ignore[misc]  # generated code is untyped
    """The servicer. `threads`: for work that many signatures make. Nothing of an argument or a value is ever logged."""

    def __init__(self, package_id: str, hospitals: tuple[str, ...], threads: Executor, metrics: Metrics) -> None:
        self.stopping = False
        self._package_id, self._hospitals = package_id, hospitals
        self._aside, self._metrics = Aside(threads), metrics
        self._streams: dict[Stream, asyncio.Task[None]] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def healthy(self) -> bool:
        """Whether a peer is registered and the host is not about to end."""
        return not self.stopping and any(stream.ready for stream in self._streams)

    async def Connect(self, messages: Any, context: Any) -> None:
        """Hold one peer's stream until it ends, or the host does."""
        saying: asyncio.Queue[Any] = asyncio.Queue()
        stream = Stream(self._package_id, saying.put_nowait, self._run, self._count)
        writer = asyncio.create_task(_write(saying, context))
        reader = self._streams[stream] = asyncio.create_task(self._read(messages, stream))
        stream.register()
        log.info("a peer connected: %s", context.peer())
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if self.stopping:
                await saying.join()
        finally:
            del self._streams[stream]
            stream.end()
            reader.cancel()
            writer.cancel()
            log.info("a peer disconnected: %s", context.peer())

    async def stop(self, grace: float) -> None:
        """Begin nothing more, give what runs `grace` seconds to end, then end the streams."""
        self.stopping = True
        try:
            await asyncio.wait_for(self._idle.wait(), grace)
        except TimeoutError:
            log.warning("%d transactions did not end in %.0f s", self._metrics.running, grace)
        for reader in list(self._streams.values()):
            reader.cancel()

    async def _read(self, messages: Any, stream: Stream) -> None:
        async for message in messages:
            if self.stopping and message.type == Message.TRANSACTION:
                continue  # the peer is told by the stream's end, and connects to the next host
            stream.hear(message)

    def _run(self, transaction: Transaction) -> Any:
        """The COMPLETED message for a transaction: its answer and event, or the refusal `code: message`."""
        began = time.perf_counter()
        message = transaction.message
        completed = Message(type=Message.COMPLETED, txid=message.txid, channel_id=message.channel_id)
        response = proposal_response_pb2.Response(status=OK)
        code = "ok"
        try:
            proposal = open_transaction(message)
            args = list(proposal.args)
            creator = creator_of(proposal.heading.creator)
            offer = transaction.stream.offer
            simulation = Simulation(
                transaction.ask, offer, proposal, creator, hospitals=self._hospitals, ranging=host.is_query(args)
            )
            response.payload = host.invoke(simulation, args, pool=self._aside)
            simulation.commit()
            if simulation.announced is not None:
                completed.chaincode_event.CopyFrom(chaincode_event_pb2.ChaincodeEvent(event_name=simulation.announced))
        except Exception as error:
            code, text = _said(error)
            response = proposal_response_pb2.Response(status=REFUSED, message=text)
        completed.payload = response.SerializeToString()
        self._metrics.transaction(code, time.perf_counter() - began)
        return completed

    def _count(self, change: int) -> None:
        self._metrics.running += change
        if self._metrics.running:
            self._idle.clear()
        else:
            self._idle.set()


def _said(error: Exception) -> tuple[str, str]:
    """What a failed transaction's code is, and what its client is told."""
    if isinstance(error, LedgerError):
        return error.code, str(error)
    log.error("a transaction failed in the host itself: %s", type(error).__name__)
    return "host.failed", "host.failed: the host of the contracts failed: report this, nothing was written"


async def _write(saying: asyncio.Queue[Any], context: Any) -> None:
    """The stream's one writer."""
    while True:
        await context.write(await saying.get())
        saying.task_done()
