"""How many randomised cases: few, unless env COVENANT_SOAK is 1. Hypothesis prints what reproduces a failure."""

from __future__ import annotations

import os


def examples(few: int, many: int) -> int:
    return many if os.environ.get("COVENANT_SOAK") == "1" else few
