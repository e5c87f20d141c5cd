"""Claims about speed and accuracy: what was promised, what was measured; tests/bench/run.py collects them."""

from __future__ import annotations

import json
import os
from pathlib import Path

FILE = "COVENANT_BENCH_CLAIMS"  # environment: the file that claims are added to, one JSON object a line


def claim(
    name: str,
    measured: float,
    unit: str,
    *,
    baseline: tuple[str, float],
    at_most: float | None = None,
    at_least: float | None = None,
) -> None:
    """Note what was measured against one bound. `baseline`: its name, and its figure in the same run and unit."""
    if (at_most is None) == (at_least is None):
        raise ValueError(f"{name}: a claim has one bound")
    met = measured <= at_most if at_most is not None else at_least is not None and measured >= at_least
    bound = f"<= {at_most:g}" if at_most is not None else f">= {at_least:g}"
    row = {"claim": name, "bound": bound, "measured": measured, "unit": unit, "baseline": baseline, "met": met}
    if file := os.environ.get(FILE):
        with Path(file).open("a") as lines:
            lines.write(json.dumps(row) + "\n")
