"""The demo's processes, to be killed and started again: ledger, broker, reactors, workers, and two nodes' pages.

stack = Stack(directory); stack.start()
stack.run(VICTIM, "worker", "site.trained")     # it kills itself there, as a power cut would
stack.kill("ledger"); stack.start_ledger()      # on its old port: the others find it again
"""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from portal.demo import consortium, services
from portal.demo.layout import HOSPITALS, HUB, PORTS, SITES, Choices, Layout, Site
from portal.demo.supervisor import Supervisor
from portal.processes import node_processes, setup_commands
from tests.support import ports

VICTIM = HOSPITALS[0]
SECONDS = 120  # for a process to come up, on a busy machine


class Stack:
    """One demo below `directory`, of `rounds` rounds."""

    def __init__(self, directory: Path, seed: int, rounds: int) -> None:
        self.layout = Layout(directory)
        self.layout.directory.mkdir(parents=True, exist_ok=True)
        self.choices: Choices = self.layout.choose(port=ports.block(PORTS), seed=seed, epsilon="5", rounds=rounds)
        self.layout.keep(self.choices)
        self.supervisor = Supervisor(self.layout.logs)
        self.ledger_port = 0

    def start(self) -> None:
        """Everything but the workers."""
        consortium.found(self.layout, self.choices)
        self.start_ledger()
        brokers = services.start_broker(self.layout, self.supervisor)
        address = json.loads((self.layout.ledger / "address.json").read_text())
        consortium.configure(self.layout, self.choices, services.one_ledger(address), brokers)
        waiting = {}
        for site in SITES:
            for command in setup_commands(self.layout.config(site)):
                waiting[command.name] = self.supervisor.start(command.name, command.argv, command.env)
        self.supervisor.wait(waiting)
        for site in SITES:
            self.run(site, "reactor")

    def start_ledger(self) -> None:
        announced = self.layout.ledger / "address.json"
        announced.unlink(missing_ok=True)
        serve = ["-m", "ledger.cli", "serve", "--dir", str(self.layout.ledger), "--port", str(self.ledger_port)]
        self.supervisor.start("ledger", [sys.executable, *serve])
        self.await_("ledger", announced.exists)
        self.ledger_port = json.loads(announced.read_text())["port"]

    def run(self, site: Site, kind: str, crash_at: str = "") -> None:
        """Start the web, reactor or worker of `site`; with `crash_at` it kills itself when it gets to that point."""
        name = f"{site.name}-{kind}"
        process = next(one for one in node_processes(self.layout.config(site)) if one.name == name)
        env = {**process.env, "COVENANT_TESTING": "1", "COVENANT_CRASH_AT": crash_at}
        argv = [word.replace("WARNING", "INFO") for word in process.argv]  # a worker's log then tells each commit
        self.supervisor.start(name, argv, env)

    def start_web(self, site: Site, crash_at: str = "") -> None:
        self.run(site, "web", crash_at)
        self.await_(f"{site.name}-web", lambda: services.answers(site, self.choices.port))

    def await_(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not ready():
            assert self.supervisor.children[name].poll() is None, self.supervisor.tail(name)
            assert time.monotonic() < deadline, f"{name} is not ready: {self.supervisor.tail(name)}"
            time.sleep(0.05)

    def kill(self, name: str) -> None:
        """SIGKILL, now; raises if the process had ended by itself."""
        child = self.supervisor.children[name]
        assert child.poll() is None, self.supervisor.tail(name)
        child.kill()
        child.wait()

    def died(self, name: str) -> bool:
        """Whether `name` was killed; any other end is a failure."""
        status = self.supervisor.children[name].poll()
        assert status in (None, -signal.SIGKILL), self.supervisor.tail(name)
        return status is not None

    def mirror(self, prefix: str) -> dict[str, Any]:
        """The ledger's state below `prefix` as the hub's reactor has it."""
        with closing(sqlite3.connect(f"file:{self.layout.node(HUB) / 'store.sqlite3'}?mode=ro", uri=True)) as store:
            rows = store.execute(
                "SELECT key, body FROM reactor_record WHERE substr(key, 1, ?) = ?", (len(prefix), prefix)
            )
            return {key: json.loads(body) for key, body in rows if body is not None}

    @property
    def round(self) -> int:
        """The newest round of the study that the hub has seen opened."""
        return max((one["round"] for one in self.mirror(f"studies/round/{self.choices.study}/").values()), default=0)
