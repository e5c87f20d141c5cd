"""Named points where a test may kill this process, as a power cut would. Inert outside tests.

`COVENANT_CRASH_AT=<point>` counts only together with `COVENANT_TESTING=1`.
"""

from __future__ import annotations

import os
import signal


def reach(point: str) -> None:
    """Die by SIGKILL if a test asked for it at `point`; else return at once."""
    if os.environ.get("COVENANT_TESTING") == "1" and os.environ.get("COVENANT_CRASH_AT") == point:
        os.kill(os.getpid(), signal.SIGKILL)
