"""Running the demo as a newcomer does: its own process, its own directory, and where possible a network of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil

from portal.demo.layout import Kind, needed_ports
from tests.support import ports

ROOT = Path(__file__).parents[2]
# A Fabric peer asks for one address of this machine that is not loopback, though it need not use it.
LOOPBACK = "ip link set lo up && ip address add 192.0.2.1/32 dev lo"
NAMING = ("COVENANT_NODE", "FABRIC_CFG_PATH")  # variables that say whose a process is
COVENANT = [sys.executable, str(ROOT / "covenant.py")]


class Demo:
    """One demo below `directory`, on ports of its own."""

    def __init__(self, directory: Path, rounds: int, ledger: str = Kind.embedded.value) -> None:
        self.directory = directory
        self.rounds = rounds
        self.ledger = ledger
        wanted = needed_ports(0, ledger)
        self.port = ports.block(max(wanted) + 1)
        self.out = directory / "out"
        self.copy = directory.parent / "report.json"  # where --report puts one
        self.lines: list[str] = []
        self.memory: Memory | None = None  # of the run that made it

    def start(self, *arguments: str, own_network: bool = True) -> subprocess.Popen[str]:
        """`own_network`: nothing but loopback, if this user may make one."""
        command = [
            *COVENANT,
            "demo",
            "--dir",
            str(self.directory),
            "--port",
            str(self.port),
            "--rounds",
            str(self.rounds),
            "--ledger",
            self.ledger,
        ]
        if own_network and os.geteuid() == 0:
            command = ["unshare", "--net", "sh", "-c", f'{LOOPBACK} && exec "$@"', "sh", *command]
        return subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
        )

    def await_line(self, process: subprocess.Popen[str], text: str) -> None:
        """Read the output until `text` comes; go on reading in the background, so that the demo never waits for us."""
        assert process.stdout
        seen = []
        for line in process.stdout:
            seen.append(line)
            if text in line:
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return
        raise AssertionError(f"the demo ended with {process.wait()} before it said {text!r}:\n{''.join(seen)}")


class Memory:
    """The most memory that a demo's processes held together, looked at twice a second while it runs.

    Pages that processes share count once: the sum of the shares that Linux tells (PSS).
    """

    def __init__(self, demo: subprocess.Popen[str]) -> None:
        self.peak = 0
        self.held: list[str] = []  # at the peak: MiB and name of each, the largest first
        self._demo = psutil.Process(demo.pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            with suppress(psutil.NoSuchProcess):
                self._look([self._demo, *self._demo.children(recursive=True)])

    def _look(self, processes: list[psutil.Process]) -> None:
        shares = {}
        for process in processes:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError, FileNotFoundError):
                shares[process] = process.memory_full_info().pss, process.name()
        if (total := sum(share for share, _ in shares.values())) > self.peak:
            self.peak = total
            self.held = [f"{share // 2**20} {name}" for share, name in sorted(shares.values(), reverse=True)]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COVENANT, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)


def processes_of(directory: Path) -> list[psutil.Process]:
    """Every process that was started for the demo in `directory`: named in its arguments or its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            said = " ".join([*process.cmdline(), *map(process.environ().get, NAMING, ("", ""))])
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if str(directory) in said and process.pid != os.getpid():
            found.append(process)
    return found
