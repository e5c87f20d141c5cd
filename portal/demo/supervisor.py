"""Starts the demo's processes and takes them all down again, whatever ends the demo."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from portal.demo.nursery import Child, Nursery, die_with_parent
from portal.errors import PortalError

PATIENCE = 5.0  # seconds
Process = subprocess.Popen[bytes] | Child


class Supervisor:
    """Child processes by name, each with its own log below `logs`.

    The kernel ends them when the demo dies by any means (PR_SET_PDEATHSIG, Linux): start them from the main thread.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.children: dict[str, Process] = {}
        self.nursery: Nursery | None = None  # kept: it ends when the door that this holds is closed
        logs.mkdir(parents=True, exist_ok=True)

    def start(
        self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None, nursery: Nursery | None = None
    ) -> Process:
        """Begin the command `argv`; from `nursery`, where one is given, with its libraries loaded."""
        whole = {**os.environ, **(env or {})}
        child: Process
        with (self.logs / f"{name}.log").open("ab") as log, Path(os.devnull).open("rb") as nothing:
            if nursery is not None:
                child = nursery.start(name, argv, whole, (nothing.fileno(), log.fileno(), log.fileno()))
            else:
                child = subprocess.Popen(
                    list(argv),
                    env=whole,
                    stdin=nothing,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C reaches the demo, which then stops them in order
                    preexec_fn=die_with_parent,  # noqa: PLW1509  # no other thread runs yet
                )
        self.children[name] = child
        return child

    def nurse(self, modules: Sequence[str]) -> None:
        """Have a nursery that begins to load `modules` now; it is stopped like the others."""
        self.nursery = Nursery(modules, self.logs.parent, self.logs / "nursery.log")
        self.children["nursery"] = self.nursery.process

    def wait(self, children: Mapping[str, Process]) -> None:
        """Wait for several commands to end well; the first that does not names itself."""
        for name, child in children.items():
            status = child.wait()
            self.children.pop(name, None)
            if status:
                raise PortalError("demo.step-failed", f"{name} ended with status {status}: {self.tail(name)}")

    def tail(self, name: str, lines: int = 12) -> str:
        text = (self.logs / f"{name}.log").read_text(errors="replace").strip()
        return "\n".join(text.splitlines()[-lines:])

    def check(self) -> None:
        """Raise PortalError `demo.process-ended` if a process that should be running is not."""
        for name, child in self.children.items():
            if child.poll() is not None:
                raise PortalError(
                    "demo.process-ended", f"{name} ended with status {child.returncode}: {self.tail(name)}"
                )

    def await_ready(self, what: str, ready: Callable[[], bool], seconds: float = 120) -> None:
        """Wait until `ready()`; PortalError `demo.not-ready` after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise PortalError("demo.not-ready", f"{what} did not become ready in {seconds:.0f} s; see {self.logs}")
            time.sleep(0.1)

    def stop(self, name: str, seconds: float = 30) -> None:
        child = self.children.pop(name, None)
        if child is None:
            return
        if child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(seconds)
        kill_group(child.pid)
        child.wait()

    def stop_all(self) -> None:
        """End everything, the last started first: the ledger and the broker outlive their users.

        These have PATIENCE together for what they are about, and lose nothing by being killed: the hub's worker would
        go on with its study for as long as the hospitals' deadlines let it.
        """
        names = list(reversed(self.children))
        users = [name for name in names if name not in ("ledger", "broker")]
        for name in users:
            if self.children[name].poll() is None:
                self.children[name].terminate()
        deadline = time.monotonic() + PATIENCE
        for name in users:
            self.stop(name, max(0.0, deadline - time.monotonic()))
        for name in [name for name in names if name not in users]:
            self.stop(name)


def kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
