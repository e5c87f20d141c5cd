"""Processes that outlive the command that started them, and that only their own network ever ends.

A process writes its own number and start time (clock ticks since the machine's start, /proc/PID/stat) before it
becomes the program: however the starting command ends, no program runs that no file names, and a number that another
program has since been given is told apart by its start time.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.network.errors import NetworkError
from ledger.protocol.consortium import Address

RECORDING = 'read -r stat </proc/$$/stat && echo "$stat" >"$1.new" && mv "$1.new" "$1" && shift && exec "$@"'
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
LISTEN = "0A"  # a socket's state in /proc/PID/net/tcp
PATIENCE = 10.0  # seconds to end in, asked kindly
START = 30.0  # seconds to begin listening in


@dataclass(frozen=True, slots=True)
class Process:
    """A process called `name`, whether it runs or not."""

    name: str
    run: Path
    logs: Path

    @property
    def record(self) -> Path:
        return self.run / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        return self.logs / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Its number while it runs."""
        try:
            pid, _, started = _stat(self.record.read_text())
            state, now = _stat(Path(f"/proc/{pid}/stat").read_text())[1:]
        except (OSError, ValueError, IndexError):
            return None
        if now != started:
            return None
        if state == "Z" and not _ending(pid):
            with contextlib.suppress(ChildProcessError):  # if it is a child of ours, nobody else would take note
                os.waitpid(pid, os.WNOHANG)
            return None
        return pid

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        """Start it, unless it runs. Its environment is `env` and the search path, nothing else of ours."""
        if self.pid is not None:
            return
        self.run.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.record.unlink(missing_ok=True)
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
        with self.log.open("ab") as log:
            subprocess.Popen(
                ["/bin/sh", "-c", RECORDING, "sh", str(self.record), *argv],
                env={**inherited, **env},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_listening(self, address: Address, seconds: float = START) -> None:
        """Return once it listens at `address`: it itself, not one before it whose port is not closed yet.

        Raises NetworkError `network.process-ended`, with the last line it wrote, or `network.not-ready`.
        """
        deadline = time.monotonic() + seconds
        recorded = time.monotonic() + 10  # by then the shell has written the record
        while True:
            begun = self.record.exists() or time.monotonic() > recorded  # looked at first: the record may come just now
            pid = self.pid
            if pid is not None and listens(pid, address.port):
                return
            if begun and pid is None:
                raise NetworkError("network.process-ended", f"{self.name} ended: {self.last_words()} (see {self.log})")
            if time.monotonic() > deadline:
                raise NetworkError(
                    "network.not-ready",
                    f"{self.name} does not answer at {address} after {seconds:.0f} s: see {self.log}",
                )
            time.sleep(0.05)

    def last_words(self) -> str:
        """The last line of its log that says anything."""
        return self.tail(1)[:300] or "it said nothing"

    def tail(self, lines: int) -> str:
        """The last `lines` of its log, without colours."""
        try:
            text = COLOURS.sub("", self.log.read_text(errors="replace"))
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-lines:])

    def signal(self, number: int) -> bool:
        """Send a signal to it; False where it does not run."""
        pid = self.pid
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True


def stop(processes: Iterable[Process], seconds: float = PATIENCE) -> None:
    """End `processes` together: asked first, then at once; those that we did not start are not touched."""
    listed = list(processes)
    asked = [each for each in listed if each.signal(signal.SIGTERM)]
    for each in asked:
        each.signal(signal.SIGCONT)  # one that stands still would not hear
    _gone(asked, seconds)
    late = [each for each in asked if each.signal(signal.SIGKILL)]
    _gone(late, seconds)
    for each in listed:
        if each.pid is None:
            each.record.unlink(missing_ok=True)


def listens(pid: int, port: int) -> bool:
    """Whether the process has a TCP socket of its own that listens on `port`, in whatever network namespace it runs."""
    process = Path(f"/proc/{pid}")
    try:
        rows = [row.split() for table in ("tcp", "tcp6") for row in (process / "net" / table).read_text().splitlines()]
        sockets = {f"socket:[{row[9]}]" for row in rows if row[3] == LISTEN and row[1].endswith(f":{port:04X}")}
        files = list((process / "fd").iterdir()) if sockets else []
    except OSError:  # it has ended
        return False
    for file in files:
        with contextlib.suppress(OSError):  # closed meanwhile
            if str(file.readlink()) in sockets:
                return True
    return False


def running(run: Path, logs: Path) -> list[Process]:
    """Every process that the files in `run` name and that runs."""
    known = [Process(file.stem, run, logs) for file in sorted(run.glob("*.pid"))]
    return [each for each in known if each.pid is not None]


def _gone(processes: Sequence[Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(each.pid is not None for each in processes) and time.monotonic() < deadline:
        time.sleep(0.02)


def _ending(pid: int) -> bool:
    """Whether threads of a process that has ended are still there: until the last one goes, so do its ports."""
    with contextlib.suppress(FileNotFoundError):
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    return False


def _stat(text: str) -> tuple[int, str, str]:
    """(number, state, start time) of a line of /proc/PID/stat; the name between parentheses may hold anything."""
    head, _, rest = text.rpartition(")")
    fields = rest.split()
    return int(head.split()[0]), fields[0], fields[19]
