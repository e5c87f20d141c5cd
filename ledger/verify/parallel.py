"""Blocks checked side by side, in as many processes as there are cores.

Processes, not threads: OpenSSL works outside the interpreter's lock, but parsing does not, and measured threads
gained little. They are spawned, not forked, since whoever verifies may hold threads and connections; that costs half
a second, so a small export is checked in the caller's own process. A block that changes the channel's configuration
divides the work: what follows it is judged by what it says.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

from fabric_protos.common import common_pb2, configtx_pb2
from google.protobuf.message import DecodeError

from ledger.protocol import channel
from ledger.protocol.channel import ChannelConfig
from ledger.protocol.exact import serialise
from ledger.verify.checked import Checked, Unfit
from ledger.verify.errors import failed
from ledger.verify.reconfigure import is_config
from ledger.verify.seal import Sealed, Sealing

WORTHWHILE = 12 * 1024 * 1024  # bytes of an export from which processes pay: about half a second's work
AHEAD = 4  # blocks a process that may be checked before the chain reaches them

_sealing: Sealing | None = None  # a worker's own


def workers_for(size: int) -> int:
    """How many processes an export of `size` bytes is worth."""
    return (os.cpu_count() or 1) if size >= WORTHWHILE else 1


def sealed(blocks: Iterator[bytes], config: ChannelConfig, chaincode: str, workers: int) -> Generator[Sealed]:
    """The blocks after the genesis block, whose configuration is `config`, in order, each checked by itself and by the
    configuration in force. Raises as Sealing.check, and VerificationFailed `verify.interrupted` when a process was
    ended from outside.
    """
    numbered = enumerate(blocks, 1)
    while True:
        after = yield from _stretch(numbered, config, chaincode, workers)
        if after is None:
            return
        config = after


def _stretch(
    numbered: Iterator[tuple[int, bytes]], config: ChannelConfig, chaincode: str, workers: int
) -> Generator[Sealed, None, ChannelConfig | None]:
    """The blocks up to the next that holds a configuration, itself included; returns that configuration."""
    sealing = Sealing(config, chaincode)
    if workers == 1:
        for number, data in numbered:
            each = sealing.check(number, data)
            yield each
            if each.reconfigured is not None:
                return each.reconfigured.config
        return None
    change: tuple[int, bytes] | None = None
    root = serialise(config.root)
    initial = (chaincode, root, config.channel, config.number, config.digest, config.sequence)
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, initial) as pool:
        waiting: deque[Future[Sealed]] = deque()
        try:
            for number, data in numbered:
                if _is_config(data):
                    change = number, data
                    break
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
    if change is None:
        return None
    last = sealing.check(*change)
    yield last
    return last.reconfigured.config if last.reconfigured is not None else config


def _is_config(data: bytes) -> bool:
    try:
        envelopes = common_pb2.Block.FromString(data).data.data
    except DecodeError:
        return False  # what it is instead, its own check says
    return bool(envelopes) and is_config(envelopes[0])


def _begin(chaincode: str, root: bytes, *said: Any) -> None:
    """`root`: the configuration's group; `said`: what else channel.of takes, in its order."""
    global _sealing  # noqa: PLW0603  one a process, made when it begins
    name, *rest = said
    _sealing = Sealing(channel.of(name, configtx_pb2.ConfigGroup.FromString(root), *rest), chaincode)


def _check(number: int, data: bytes) -> Sealed:
    """A block, without the parts that only its signatures needed: they need not travel back."""
    assert _sealing is not None
    checked = _sealing.check(number, data)
    light = tuple(_light(each) for each in checked.checked)
    return replace(checked, block=replace(checked.block, envelopes=()), checked=light)


def _light(each: Checked | Unfit) -> Checked | Unfit:
    if isinstance(each, Unfit):
        return each
    return replace(each, transaction=replace(each.transaction, endorsements=(), endorsed=b"", payload=b""))
