"""What no contract may do with its state, on either host: the code it is refused with, and the misuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MISUSE: list[tuple[str, Callable[[Any], object]]] = [
    ("host.read-after-write", lambda made: (made.put("a", b"2"), made.get("a"))),
    ("host.read-after-write", lambda made: (made.delete("a"), made.get("a"))),
    ("host.second-event", lambda made: (made.event("a"), made.event("a"))),
    ("host.range-in-write", lambda made: made.range("a", "b")),
    ("host.empty", lambda made: made.put("a", b"")),
    ("host.empty", lambda made: made.put("", b"1")),
]
