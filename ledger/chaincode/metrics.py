"""What a host counts, as Prometheus reads it (text format 0.0.4). Labels are codes of ours, never anything given."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds


class Metrics:
    """Transactions by outcome, how long they took, how many run now. All of it on the event loop's thread."""

    def __init__(self) -> None:
        self.running = 0
        self._outcomes: Counter[str] = Counter()
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def transaction(self, code: str, seconds: float) -> None:
        """Count one that ended with `code`: "ok", or the refusal's code."""
        self._outcomes[code] += 1
        self._buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds

    def text(self, *, healthy: bool) -> str:
        """All of it."""
        name = "covenant_chaincode"
        lines = [
            f"# HELP {name}_registered Whether a peer is registered.",
            f"# TYPE {name}_registered gauge",
            f"{name}_registered {int(healthy)}",
            f"# HELP {name}_running Transactions that have begun and not ended.",
            f"# TYPE {name}_running gauge",
            f"{name}_running {self.running}",
            f"# HELP {name}_transactions_total Transactions ended, by code: ok, or why it was refused.",
            f"# TYPE {name}_transactions_total counter",
            *(f'{name}_transactions_total{{code="{code}"}} {count}' for code, count in sorted(self._outcomes.items())),
            f"# HELP {name}_seconds How long a transaction took, the peer's answers included.",
            f"# TYPE {name}_seconds histogram",
        ]
        total = 0
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], self._buckets, strict=True):
            total += count
            lines.append(f'{name}_seconds_bucket{{le="{bound}"}} {total}')
        return "\n".join([*lines, f"{name}_seconds_sum {self._seconds:.6f}", f"{name}_seconds_count {total}", ""])
