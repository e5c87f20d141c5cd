"""One peer's stream: each transaction runs in a greenlet of its own, which sleeps while the peer looks something up.

Contracts are plain synchronous code. A thread for each would cost more in hand-overs than most contracts cost in all,
so a transaction lives on the event loop: when it asks the peer, it switches back to the loop, and the peer's answer
switches to it again. Everything here happens on the loop's thread, and the stream has one writer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from fabric_protos.peer import chaincode_pb2, chaincode_shim_pb2
from greenlet import GreenletExit, getcurrent, greenlet

from ledger.chaincode.simulation import Message, Offer
from ledger.errors import LedgerError

log = logging.getLogger(__name__)
T = TypeVar("T")

REGISTRATION = 10.0  # seconds for a peer to accept the registration
Run = Callable[["Transaction"], Any]  # -> the COMPLETED message


class Stream:
    """What one peer says and is told. `say` queues a message for the peer; `run` runs a transaction."""

    def __init__(self, package_id: str, say: Callable[[Any], None], run: Run, began: Callable[[int], None]) -> None:
        self.offer = Offer()
        self.ready = False
        self.transactions: dict[tuple[str, str], greenlet] = {}
        self._package_id, self._say, self._run, self._began = package_id, say, run, began
        self._timer = asyncio.get_running_loop().call_later(REGISTRATION, self._unanswered)

    def register(self) -> None:
        name = chaincode_pb2.ChaincodeID(name=self._package_id)
        self._say(Message(type=Message.REGISTER, payload=name.SerializeToString()))

    def hear(self, message: Any) -> None:
        """Act on one message of the peer."""
        if message.type in {Message.RESPONSE, Message.ERROR}:
            waiting = self.transactions.get((message.channel_id, message.txid))
            if waiting is not None:
                waiting.switch(message)
        elif message.type in {Message.TRANSACTION, Message.INIT}:
            greenlet(self._live).switch(message)
        elif message.type == Message.READY:
            self.offer, self.ready = Offer.read(message.payload), True
            self._timer.cancel()
        elif message.type == Message.KEEPALIVE:
            self._say(message)

    def ask(self, message: Any) -> Any:
        """Send a transaction's request and sleep until the peer has answered; call from the transaction itself."""
        self._say(message)
        return _loop().switch()

    def end(self) -> None:
        """The stream is over: nobody waits for its transactions any more."""
        self._timer.cancel()
        for waiting in list(self.transactions.values()):
            waiting.throw(GreenletExit)

    def _live(self, message: Any) -> None:
        """A transaction's whole life, in its greenlet."""
        key = message.channel_id, message.txid
        self.transactions[key] = getcurrent()
        self._began(1)
        try:
            self._say(self._run(Transaction(self, message)))
        finally:
            del self.transactions[key]
            self._began(-1)

    def _unanswered(self) -> None:
        log.error(
            "host.not-registered: the peer has not accepted the package %s within %.0f s: compare it with what"
            " `covenant network doctor` says is installed",
            self._package_id,
            REGISTRATION,
        )


class Transaction:
    """One transaction of a stream, as its simulation speaks to the peer."""

    def __init__(self, stream: Stream, message: Any) -> None:
        self.stream, self.message = stream, message

    def ask(self, kind: int, request: Any) -> bytes:
        """The peer's answer to `request`, a message of type `kind`. Raises LedgerError `host.peer-failed`."""
        said = self.message
        answer = self.stream.ask(
            Message(type=kind, payload=request.SerializeToString(), txid=said.txid, channel_id=said.channel_id)
        )
        if answer.type == Message.ERROR:  # its text may hold keys
            name = chaincode_shim_pb2.ChaincodeMessage.Type.Name(kind)
            raise LedgerError("host.peer-failed", f"the peer could not answer {name}; its own log says why")
        payload: bytes = answer.payload
        return payload


class Aside(Executor):
    """Threads that a transaction may lend work to; it sleeps meanwhile, and the loop goes on with others."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads

    def map(  # type: ignore[override]  # one iterable is all that contracts map
        self, work: Callable[[Any], T], items: Iterable[Any]
    ) -> Iterator[T]:
        waiting, loop = getcurrent(), asyncio.get_running_loop()
        futures = [self._threads.submit(work, item) for item in items]
        left = len(futures)

        def done(_: Future[T]) -> None:
            loop.call_soon_threadsafe(arrived)

        def arrived() -> None:
            nonlocal left
            left -= 1
            if left == 0 and not waiting.dead:
                waiting.switch()

        for future in futures:
            future.add_done_callback(done)
        if futures:
            _loop().switch()
        return iter([future.result() for future in futures])


def _loop() -> greenlet:
    """The greenlet of the event loop, which starts every transaction."""
    parent = getcurrent().parent
    if parent is None:
        raise RuntimeError("only a transaction can sleep")
    return parent
