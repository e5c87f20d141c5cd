"""What the person who runs the demo sees meanwhile: the step, the round, a bar a hospital, epsilon so far."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from portal.demo.layout import HOSPITALS
from portal.demo.watch import Watch

SHARE = {"waiting": 0, "declined": 100, "cohort committed": 50, "update released": 100, "accuracy released": 100}
EVERY = 0.5  # seconds


class RoundsView:
    """A live picture on a terminal; where output goes to a file, one line whenever a round begins."""

    def __init__(self, console: Console, watch: Watch, rounds: int) -> None:
        self.console, self.watch, self.rounds = console, watch, rounds
        self.live = Live(self.picture(), console=console, refresh_per_second=4) if console.is_terminal else None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.repeat, daemon=True)

    def __enter__(self) -> RoundsView:
        if self.live:
            self.live.start()
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self.thread.join()
        if self.live:
            self.live.update(self.picture())
            self.live.stop()

    def repeat(self) -> None:
        said = (0, 0)
        while not self.ended.wait(EVERY):
            now = self.watch.round, self.watch.attempt
            if self.live:
                self.live.update(self.picture())
            elif now != said:
                self.console.print(self.headline(), highlight=False)
                said = now

    def headline(self) -> str:
        watch = self.watch
        what = f"round {watch.round} of {self.rounds}" if watch.round <= self.rounds else "evaluation"
        return f"  {what}, attempt {watch.attempt}, epsilon so far {watch.epsilon:.2f}"

    def picture(self) -> Group:
        bars = Table.grid(padding=(0, 2))
        for site in HOSPITALS:
            phase = self.watch.phase.get(site.msp, "waiting")
            bars.add_row(
                "  " + site.title, ProgressBar(total=100, completed=SHARE[phase], width=24), Text(phase, style="dim")
            )
        return Group(Text(self.headline()), bars)


class Clock:
    """How long each step took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.begun = time.monotonic()

    def lap(self, step: str) -> None:
        now = time.monotonic()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self.begun
        self.begun = now
