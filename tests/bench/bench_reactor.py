"""Events a second that the reactor projects, as a hospital sees them: mirror, log, position and its grants' handlers.

Single consents (each its own event), on SQLite in a file with full synchronisation. The baseline writes the same events
with one transaction each.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.claims import claim  # noqa: E402

COUNT, SINGLY = 6_000, 300


@dataclass(frozen=True)
class Recorded:
    """An event as the gateway's client gives it."""

    block: int
    index: int
    tx_id: str
    name: str
    payload: bytes


def consents(first: int, count: int) -> list[Recorded]:
    from consent import canonical

    def payload(number: int) -> bytes:
        commitment = f"{number:064x}"
        record = {
            "commitment": commitment,
            "status": "active",
            "hospital": "HungaryMSP",
            "text": "heart-2026.1",
            "preset": "heart-disease",
            "valid_from": "2026-01",
            "valid_until": "2031-01",
            "attestation": "portal-key",
            "recorded": 1_767_225_600,
        }
        return canonical.encode({"records": {f"consents/{commitment}": record}})

    numbers = range(first, first + count)
    return [Recorded(1 + n // 50, n % 50, f"{n:064x}", "consents.recorded", payload(n)) for n in numbers]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        from tests.functional.node import make_node

        os.environ["COVENANT_NODE"] = str(make_node(Path(folder) / "node", "hospital"))
        os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        singly = timed(consents(0, SINGLY), 1)
        busy = time.process_time()
        together = timed(consents(SINGLY, COUNT), 0)
        busy = time.process_time() - busy
    ratio = together / singly
    print(f"reactor: {together:.0f} events/s (baseline one transaction an event: {singly:.0f}, ratio {ratio:.1f})")
    claim("reactor", together, "events/s", at_least=2000, baseline=("one transaction an event", singly))
    print(f"reactor on a core of its own: {COUNT / busy:.0f} events/CPU s")


def timed(events: list[Recorded], size: int) -> float:
    """Events a second through the follower's own queue, or (`size` 1) applied one by one."""
    import threading

    from portal.reactor import follow, projection

    started = time.perf_counter()
    if size:
        for batch in projection.batches(events, size):
            projection.apply(batch)
    else:
        assert sum(follow.run(events, threading.Event())) == len(events)
    return len(events) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
