"""Running a server until somebody asks it to stop."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Coroutine
from typing import Any

COLLECTED = 20_000  # objects made, and not gone by themselves, until the collector looks for circles among them


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` to its end on the fastest event loop that is installed."""
    try:
        import uvloop
    except ImportError:  # not on every system; only speed is lost
        asyncio.run(main)
    else:
        uvloop.run(main)


def stop_signal() -> asyncio.Event:
    """Set once this process gets SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def settle() -> None:
    """Let the collector of garbage look less often, and not at what stands now: most of it stands to the end, and a
    call leaves few circles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED)
