"""Bringing the mirror forward: events, their records, apps' handlers and the position, in one database transaction.

Each app may have a `projections.py` with HANDLERS (event name -> function of an Arrival), RUN_HANDLERS (event name ->
function of a list of Arrivals), `reset()` (forget what handlers wrote, before a rebuild) and `sweep()` (work left
behind, called every few seconds by the follower). A handler runs when the mirror stands exactly at its event; a run
handler gets consecutive events of one name together, the mirror standing at the last: a tenth of the queries. What
leaves the database (a task, a message) they hand to `transaction.on_commit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from types import ModuleType
from typing import Any, Protocol

from django.apps import apps
from django.db import transaction

from consent import canonical
from portal.reactor.models import Event, Position, Record


class Source(Protocol):
    """An event as the gateway's client gives it."""

    @property
    def block(self) -> int: ...
    @property
    def tx_id(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def payload(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event as handlers see it. `records`: the state the transaction wrote, None where it deleted."""

    block: int
    index: int
    tx_id: str
    name: str
    body: dict[str, Any]
    time: datetime | None
    live: bool  # False during a rebuild: change rows, start nothing

    @property
    def records(self) -> dict[str, Any]:
        return self.body.get("records", {})


Handler = Callable[[Arrival], None]
RunHandler = Callable[[list[Arrival]], None]


@transaction.atomic
def apply(sources: Sequence[Source], *, live: bool = True) -> int:
    """Bring the mirror forward by `sources`, in order, passing over what it holds. Returns how many were new."""
    position = locked_position()
    arrivals = [
        arrival(source, live) for source in sources if (source.block, source.index) > (position.block, position.index)
    ]
    if not arrivals:
        return 0
    waiting: dict[str, tuple[Any, Arrival]] = {}
    for name, run in groupby(arrivals, key=lambda event: event.name):
        events, called = list(run), handlers().get(name, ())
        for event in events:
            waiting |= {key: (value, event) for key, value in event.records.items()}
            if called:
                mirror(waiting)
            for handler in called:
                handler(event)
        if together := run_handlers().get(name):
            mirror(waiting)
            for run_handler in together:
                run_handler(events)
    mirror(waiting)
    Event.objects.bulk_create([log_entry(event) for event in arrivals], batch_size=500)
    position.block, position.index, position.tx_id = arrivals[-1].block, arrivals[-1].index, arrivals[-1].tx_id
    position.save()
    return len(arrivals)


def locked_position() -> Position:
    """The position, held until the transaction ends, so that two followers never apply the same event."""
    locked = Position.objects.select_for_update().filter(id=Position.ONLY)
    if (position := locked.first()) is None:
        Position.objects.get_or_create(id=Position.ONLY)  # of two followers that begin at once one makes it
        position = locked.get()
    return position


def arrival(source: Source, live: bool) -> Arrival:
    seconds = getattr(source, "timestamp", None)
    time = datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else seconds
    body = canonical.decode(source.payload) if source.payload else {}
    return Arrival(source.block, source.index, source.tx_id, source.name, body, time, live)


def log_entry(event: Arrival) -> Event:
    return Event(
        block=event.block, index=event.index, tx_id=event.tx_id, name=event.name, body=event.body, time=event.time
    )


def mirror(waiting: dict[str, tuple[Any, Arrival]]) -> None:
    """Write the last value of every key in `waiting`, and empty it."""
    gone = [key for key, (value, _) in waiting.items() if value is None]
    standing = [
        Record(key=key, body=value, block=event.block, tx_id=event.tx_id)
        for key, (value, event) in waiting.items()
        if value is not None
    ]
    if gone:
        Record.objects.filter(key__in=gone).delete()
    if standing:
        Record.objects.bulk_create(
            standing, 500, update_conflicts=True, unique_fields=["key"], update_fields=["body", "block", "tx_id"]
        )
    waiting.clear()


@cache
def projections() -> tuple[ModuleType, ...]:
    """The `projections` modules of the apps installed on this node."""
    names = (f"{app.name}.projections" for app in apps.get_app_configs() if app.name.startswith("portal."))
    return tuple(import_module(name) for name in names if find_spec(name))


@cache
def handlers() -> dict[str, tuple[Handler, ...]]:
    return collected("HANDLERS")


@cache
def run_handlers() -> dict[str, tuple[RunHandler, ...]]:
    return collected("RUN_HANDLERS")


def collected(table: str) -> dict[str, tuple[Any, ...]]:
    """The functions of every app's `table`, by event name."""
    found: dict[str, tuple[Any, ...]] = {}
    for module in projections():
        for name, function in getattr(module, table, {}).items():
            found[name] = (*found.get(name, ()), function)
    return found


def sweep() -> None:
    """Let every app look for work left behind."""
    for module in projections():
        if hasattr(module, "sweep"):
            module.sweep()


@transaction.atomic
def forget() -> Position:
    """Empty the mirror, the log and what handlers wrote. Returns the position there was."""
    before = locked_position()
    reached = Position(block=before.block, index=before.index, tx_id=before.tx_id)
    for module in projections():
        if hasattr(module, "reset"):
            module.reset()
    Record.objects.all().delete()
    Event.objects.all().delete()
    before.block, before.index, before.tx_id = 0, -1, ""
    before.save()
    return reached


def batches(sources: Iterable[Source], size: int) -> Iterable[list[Source]]:
    batch: list[Source] = []
    for source in sources:
        batch.append(source)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
