"""Who waits for what: a transaction's outcome, or the next block. Lives on the event loop."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from weakref import WeakValueDictionary

from ledger.embedded.committer import DUPLICATE, Outcome
from ledger.embedded.store import Reader
from ledger.errors import LedgerError

REMEMBERED = 10_000  # outcomes; of a failed transaction the reason is told no longer than that
Answer = tuple[int, int] | LedgerError  # (validation code, block), or why it was not written


class Progress:
    """The ledger's height and the transactions under way."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.height = reader.height()
        self._waiting: WeakValueDictionary[str, asyncio.Future[Answer]] = WeakValueDictionary()  # held by who waits
        self._under_way: set[str] = set()
        self._finished: OrderedDict[str, Answer] = OrderedDict()  # the newest; older ones are looked up
        self._grown = asyncio.Event()

    def expect(self, tx_id: str) -> None:
        """A transaction has been taken for ordering."""
        if isinstance(self._finished.get(tx_id), LedgerError):
            del self._finished[tx_id]
        self._under_way.add(tx_id)

    def stands(self, tx_id: str) -> bool:
        """Whether a transaction of this id stands in a block."""
        known = self._finished.get(tx_id) or self._looked_up(tx_id)
        return isinstance(known, tuple)

    async def outcome(self, tx_id: str) -> tuple[int, int]:
        """(validation code, block) of the first transaction of this id, once it stands in a block.

        Waits for a transaction nobody has submitted yet, as Fabric does; the client's deadline ends that.
        Raises LedgerError `ledger.disk-full`, `ledger.failed` when it could not be written.
        """
        answer = self._finished.get(tx_id) or self._looked_up(tx_id)
        if answer is None:
            future = self._future(tx_id)
            answer = await asyncio.shield(future)
        if isinstance(answer, LedgerError):
            raise answer
        return answer

    def finish(self, outcome: Outcome) -> None:
        """A block was written, or was not."""
        for place, each in enumerate(outcome.pending):
            self._under_way.discard(each.tx_id)
            if outcome.failure is not None:
                if not self.stands(each.tx_id):  # it may repeat one that was written before
                    self._tell(each.tx_id, outcome.failure)
            elif (code := outcome.codes[place]) != DUPLICATE:
                self._tell(each.tx_id, (code, outcome.number))
        if outcome.failure is None:
            self.height = outcome.number + 1
            self._grown.set()
            self._grown = asyncio.Event()

    async def growth(self, height: int) -> None:
        """Return when there are more than `height` blocks."""
        while self.height <= height:
            await self._grown.wait()

    def _future(self, tx_id: str) -> asyncio.Future[Answer]:
        future = self._waiting.get(tx_id)
        if future is None:
            future = self._waiting[tx_id] = asyncio.get_running_loop().create_future()
        return future

    def _looked_up(self, tx_id: str) -> Answer | None:
        known = None if tx_id in self._under_way else self._reader.transaction(tx_id)
        return None if known is None else (known.code, known.block)

    def _tell(self, tx_id: str, answer: Answer) -> None:
        self._finished[tx_id] = answer
        if len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)
        future = self._waiting.pop(tx_id, None)
        if future is not None and not future.done():
            future.set_result(answer)
