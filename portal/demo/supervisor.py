"""Starts the demo's processes and takes them all down again, whatever ends the demo."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from portal.errors import PortalError

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Supervisor:
    """Child processes by name, each with its own log below `logs`.

    The kernel ends them when the demo dies by any means (PR_SET_PDEATHSIG, Linux): start them from the main thread.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        with (self.logs / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                list(argv),
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the demo, which then stops them in order
                preexec_fn=die_with_parent,  # noqa: PLW1509  # no other thread runs yet
            )
        self.children[name] = child
        return child

    def wait(self, children: Mapping[str, subprocess.Popen[bytes]]) -> None:
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
        """End everything, the last started first: the ledger and the broker outlive their users."""
        names = list(reversed(self.children))
        users = [name for name in names if name not in ("ledger", "broker")]
        for name in users:
            if self.children[name].poll() is None:
                self.children[name].terminate()
        for name in users + [name for name in names if name not in users]:
            self.stop(name)


def die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
