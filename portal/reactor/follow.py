"""The follower: a process that reads the ledger's events for ever and brings the mirror forward.

One thread reads the stream into a bounded queue; the main thread takes what is there, up to BATCH events, and applies
it in one database transaction: alone an event waits for nothing, under load a commit is shared.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

import structlog
from django.db import close_old_connections, transaction

from ledger.gateway import Events, EventsError, Gateway
from portal import ledger
from portal.errors import LedgerUnavailable
from portal.reactor import projection, witness
from portal.reactor.models import Position
from portal.reactor.projection import Source

log = structlog.get_logger(__name__)
BATCH = 256
SWEEP_SECONDS = 5.0
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
OTHER_LEDGER = frozenset({"gateway.ledger-behind", "gateway.checkpoint-unknown"})


def follow(stop: threading.Event) -> None:
    """Keep the mirror up until `stop` is set. The ledger may go and come back; the position is where we go on.

    A hospital waits for its own organisation's peer; a hub turns to another one.
    """
    failures = 0
    while not stop.is_set():
        try:
            witness.check()
            with stream() as events:
                for _ in run(events, stop):
                    failures = 0
        except (
            witness.OtherLedger
        ) as error:  # the mirror stays as it is; it goes on by itself once the right one is back
            log.error("not followed", code=error.code, reason=error.message)
        except ledger.UNREACHABLE as error:
            if error.code in OTHER_LEDGER:  # the mirror stays as it is; it goes on by itself once the right one is back
                log.error("not the ledger that was followed", code=error.code, reason=error.message)
            else:
                log.warning("ledger unreachable", exc_info=error)
                ledger.turn()
        except Exception as error:  # the mirror is what pages read: go on, and say where it failed
            log.error("projection failed", exc_info=error)
        stop.wait(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
        failures += 1


def stream() -> Events:
    """The ledger's events after the saved position. Reading them raises EventsError where the ledger lacks it:
    `gateway.ledger-behind` (an older copy was restored), `gateway.checkpoint-unknown` (it is another one).
    """
    reached = Position.objects.filter(id=Position.ONLY).first() or Position()
    return ledger.events(start_block=reached.block, after_tx=reached.tx_id or None)


def run(sources: Iterable[Source], stop: threading.Event) -> Iterator[int]:
    """Apply `sources` as they come; yields how many of each batch were new. Ends with them, or when `stop` is set."""
    waiting: queue.Queue[Source | BaseException | None] = queue.Queue(maxsize=4 * BATCH)
    reader = threading.Thread(target=read, args=(sources, waiting, stop), name="events", daemon=True)
    reader.start()
    swept = 0.0
    while not stop.is_set():
        if time.monotonic() - swept > SWEEP_SECONDS:
            tidy()
            swept = time.monotonic()
        batch, ended = take(waiting)
        if batch:
            yield projection.apply(batch)
        if isinstance(ended, BaseException):
            raise ended
        if ended == "end":
            return


def read(sources: Iterable[Source], waiting: queue.Queue[Source | BaseException | None], stop: threading.Event) -> None:
    """The reading thread: puts events, then the error that ended them, or None."""
    last: BaseException | None = None
    try:
        for source in sources:
            if not put(waiting, source, stop):
                return
    except BaseException as error:
        last = error
    put(waiting, last, stop)


def put(
    waiting: queue.Queue[Source | BaseException | None], item: Source | BaseException | None, stop: threading.Event
) -> bool:
    while not stop.is_set():
        try:
            waiting.put(item, timeout=0.5)
            return True
        except queue.Full:
            continue
    return False


def take(waiting: queue.Queue[Source | BaseException | None]) -> tuple[list[Source], BaseException | str | None]:
    """What is there, at most BATCH events, after half a second at most; and how the stream ended, if it did."""
    batch: list[Source] = []
    try:
        item = waiting.get(timeout=0.5)
        while True:
            if item is None:
                return batch, "end"
            if isinstance(item, BaseException):
                return batch, item
            batch.append(item)
            if len(batch) == BATCH:
                return batch, None
            item = waiting.get_nowait()
    except queue.Empty:
        return batch, None


def tidy() -> None:
    """Sweep, look whether the ledger is still the same one, and drop database connections that have gone bad.

    Raises OtherLedger where it is not: following ends with it.
    """
    close_old_connections()
    with suppress(LedgerUnavailable):  # the stream says so itself, and waits
        witness.check()
    try:
        projection.sweep()
    except Exception as error:  # a sweep is tried again; following must not end with it
        log.warning("sweep failed", exc_info=error)


def catch_up(idle_seconds: float = 5.0) -> int:
    """Apply what the ledger has up to its newest block now; returns how many events were new.

    Blocks may hold no event, so the end is the newest block or `idle_seconds` without an event.
    """
    newest = ledger.ask(ledger.reader(), Gateway.head, "head").height - 1
    count = 0
    with stream() as events:
        idle = threading.Timer(idle_seconds, events.close)
        idle.start()
        for event in events:
            idle.cancel()
            count += projection.apply([event])
            if event.block >= newest:
                break
            idle = threading.Timer(idle_seconds, events.close)
            idle.start()
        idle.cancel()
    return count


def rebuild() -> int:
    """Forget the projection and replay it up to where it stood, in one transaction: readers see the old one until then.

    Returns the number of events replayed. Raises EventsError, and changes nothing, where the ledger is not the one that
    was followed, as `stream` does.
    """
    with transaction.atomic():
        reached = projection.forget()
        count = 0
        if reached.block or reached.index >= 0:
            check_height(reached)
            with ledger.events(start_block=0) as events:
                for batch in projection.batches(until(events, reached), BATCH):
                    count += projection.apply(batch, live=False)
    log.info("projection rebuilt", events=count, block=reached.block)
    return count


def check_height(reached: Position) -> None:
    """Raises EventsError `gateway.ledger-behind`: a shorter ledger would be waited for without end."""
    height = ledger.ask(ledger.reader(), Gateway.head, "head").height
    if height <= reached.block:
        reason = f"the ledger has {height} blocks, but block {reached.block} was followed: restore its newest backup"
        raise EventsError("gateway.ledger-behind", reason, block=reached.block, height=height)


def until(sources: Iterable[Source], reached: Position) -> Iterator[Source]:
    """The events up to the one at `reached`; EventsError `gateway.checkpoint-unknown` where another stands there."""
    for source in sources:
        place, last = (source.block, source.index), (reached.block, reached.index)
        if place > last or (place == last and reached.tx_id not in ("", source.tx_id)):
            reason = f"block {reached.block} does not hold the event that was followed: this is another ledger"
            raise EventsError("gateway.checkpoint-unknown", reason, block=reached.block)
        yield source
        if place == last:
            return
