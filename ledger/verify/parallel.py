"""Blocks checked side by side, in as many processes as there are cores.

Processes, not threads: OpenSSL works outside the interpreter's lock, but parsing does not, and measured threads
gained little. They are spawned, not forked, since whoever verifies may hold threads and connections; that costs half
a second, so a small export is checked in the caller's own process.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context

from ledger.protocol import genesis
from ledger.verify.errors import failed
from ledger.verify.seal import Sealed, Sealing

WORTHWHILE = 12 * 1024 * 1024  # bytes of an export from which processes pay: about half a second's work
AHEAD = 4  # blocks a process that may be checked before the chain reaches them

_sealing: Sealing | None = None  # a worker's own


def workers_for(size: int) -> int:
    """How many processes an export of `size` bytes is worth."""
    return (os.cpu_count() or 1) if size >= WORTHWHILE else 1


def sealed(blocks: Iterator[bytes], first: bytes, chaincode: str, workers: int) -> Generator[Sealed]:
    """The blocks after the genesis block `first`, in order, each checked by itself. Raises as Sealing.check,
    and VerificationFailed `verify.interrupted` when a process was ended from outside.
    """
    if workers == 1:
        sealing = Sealing(genesis.read(first), chaincode)
        for number, data in enumerate(blocks, 1):
            yield sealing.check(number, data)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (first, chaincode)) as pool:
        waiting: deque[Future[Sealed]] = deque()
        try:
            for number, data in enumerate(blocks, 1):
                waiting.append(pool.submit(_check, number, data))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            message = "a process that checked signatures was ended (too little memory?): try again with fewer workers"
            raise failed("interrupted", message) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(first: bytes, chaincode: str) -> None:
    global _sealing  # noqa: PLW0603  one a process, made when it begins
    _sealing = Sealing(genesis.read(first), chaincode)


def _check(number: int, data: bytes) -> Sealed:
    """A block, without the parts that only its signatures needed: they need not travel back."""
    assert _sealing is not None
    checked = _sealing.check(number, data)
    light = tuple(replace(each, endorsements=(), endorsed=b"", payload=b"") for each in checked.transactions)
    return replace(checked, block=replace(checked.block, envelopes=()), transactions=light)
