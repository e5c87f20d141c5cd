"""Who waits for what: a transaction's outcome, or the next block. Lives on the event loop."""
from __future__ import annotations

import asyncio
from collections import OrderedDict
from weakref import WeakValueDictionary

from ledger.embedded.committer import DUPLICATE, Outcome
from ledger.embedded.store import Reader
from ledger.errors import LedgerError

REMEMBERED = 10_000  # failed transactions whose reason is still told
Answer = tuple[int, int] | LedgerError  # (validation code, block), or why it was not written


class Progress:
    """The ledger's height and the transactions under way."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.height = reader.height()
        self._waiting: WeakValueDictionary[str, asyncio.Future[Answer]] = WeakValueDictionary()  # held by who waits
        self._failed: OrderedDict[str, LedgerError] = OrderedDict()
        self._grown = asyncio.Event()

    def expect(self, tx_id: str) -> None:
        """A transaction has been taken for ordering."""
        self._failed.pop(tx_id, None)

    async def outcome(self, tx_id: str) -> tuple[int, int]:
        """(validation code, block) of the first transaction of this id, once it stands in a block.

        Waits for a transaction nobody has submitted yet, as Fabric does; the client's deadline ends that.
        Raises LedgerError `ledger.disk-full`, `ledger.failed` when it could not be written.
        """
        if tx_id in self._failed:
            raise self._failed[tx_id]
        if tx_id not in self._waiting and (known := self._reader.transaction(tx_id)) is not None:
            return known.code, known.block
        future = self._future(tx_id)
        answer = await asyncio.shield(future)
        if isinstance(answer, LedgerError):
            raise answer
        return answer

    def finish(self, outcome: Outcome) -> None:
        """A block was written, or was not."""
        for place, each in enumerate(outcome.pending):
            if outcome.failure is not None:
                self._failed[each.tx_id] = outcome.failure
                self._tell(each.tx_id, outcome.failure)
            elif (code := outcome.codes[place]) != DUPLICATE:
                self._tell(each.tx_id, (code, outcome.number))
            else:
                self._tell_first(each.tx_id)
        while len(self._failed) > REMEMBERED:
            self._failed.popitem(last=False)
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

    def _tell(self, tx_id: str, answer: Answer) -> None:
        future = self._waiting.pop(tx_id, None)
        if future is not None and not future.done():
            future.set_result(answer)

    def _tell_first(self, tx_id: str) -> None:
        first = self._reader.transaction(tx_id)
        if first is not None:
            self._tell(tx_id, (first.code, first.block))
