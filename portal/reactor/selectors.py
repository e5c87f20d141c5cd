"""What pages read of the ledger: this node's mirror, never the ledger itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.models import QuerySet

from portal.reactor.models import Event, Position, Record

_loaded: ContextVar[dict[str, dict[str, Any]] | None] = ContextVar("loaded", default=None)


@contextmanager
def loaded(*prefixes: str) -> Iterator[None]:
    """Within, what `record`, `records` and `items` say about keys below `prefixes` comes from one query each.

    For lists: however many rows a page shows, it asks the database as often.
    """
    outer = _loaded.get() or {}
    token = _loaded.set({**outer, **{prefix: dict(items(prefix)) for prefix in prefixes}})
    try:
        yield
    finally:
        _loaded.reset(token)


def held(key: str) -> dict[str, Any] | None:
    """What is loaded of the part of the state that `key` lies in, or None."""
    return next((found for prefix, found in (_loaded.get() or {}).items() if key.startswith(prefix)), None)


def record(key: str) -> Any | None:
    """The state value under `key`, or None."""
    if (found := held(key)) is not None:
        return found.get(key)
    return Record.objects.filter(key=key).values_list("body", flat=True).first()


def records(prefix: str) -> list[Any]:
    """The state values whose keys start with `prefix`, by key."""
    return [body for _, body in items(prefix)]


def items(prefix: str) -> list[tuple[str, Any]]:
    """Keys and state values below `prefix`, by key."""
    if (found := held(prefix)) is not None:
        return [(key, body) for key, body in found.items() if key.startswith(prefix)]
    return list(standing(prefix).order_by("key").values_list("key", "body"))


def standing(prefix: str) -> QuerySet[Record]:
    """The mirror's rows below `prefix`, with the block and transaction that wrote each."""
    # A range, not LIKE: SQLite's LIKE ignores case and no index serves it.
    return Record.objects.filter(key__gte=prefix, key__lt=prefix + "\U0010ffff")


def events(*names: str) -> QuerySet[Event]:
    """The log, the newest first; only events called one of `names`, where given."""
    found = Event.objects.order_by("-block", "-index")
    return found.filter(name__in=names) if names else found


def height() -> int:
    """The block of the last event in the mirror; 0 before the first."""
    return Position.objects.values_list("block", flat=True).first() or 0
