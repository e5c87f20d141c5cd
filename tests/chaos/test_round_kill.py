"""Kill -9 of the hub's worker and of a hospital's worker at named points of a round; the study goes on, and nothing is
spent, trained or released twice.

The whole stack runs: embedded ledger, broker, reactors and workers of a hub and four hospitals, each its own process,
on the real data. One study is led through every point: a worker started with COVENANT_CRASH_AT kills itself there and
is started again with the next point. COVENANT_SOAK=1 visits every point, else three of each kind.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from ledger.gateway import connect
from ledger.identity.msp import Identity
from portal.demo import consortium, services
from portal.demo.layout import HOSPITALS, HUB, Choices, Layout, free_ports
from portal.demo.shell import Shells
from portal.demo.steps import Steps
from portal.demo.supervisor import Supervisor
from portal.processes import node_processes

HUB_POINTS = ["hub.opened", "hub.gathered", "hub.fixed", "hub.aggregated", "hub.closed", "hub.packaged", "hub.released"]
SITE_POINTS = ["site.cohort-frozen", "site.cohort-committed", "site.begun", "site.update-kept", "site.update-spent",
               "site.measure-kept", "site.measure-spent"]  # fmt: skip
FEW = {"hub.fixed", "hub.aggregated", "hub.packaged", "site.cohort-frozen", "site.begun", "site.update-spent"}
POINTS = [point for point in (*HUB_POINTS, *SITE_POINTS) if os.environ.get("COVENANT_SOAK") == "1" or point in FEW]
VICTIM = HOSPITALS[0]
KINDS = ((HUB, "hub."), (VICTIM, "site."))
STUDY_SECONDS = 900


class Stack:
    """The demo's processes without its web pages."""

    def __init__(self, directory: Path) -> None:
        base = next(port for port in range(18100, 19000, 10) if len(list(free_ports(range(port, port + 5)))) == 5)
        self.layout = Layout(directory)
        self.layout.directory.mkdir(parents=True, exist_ok=True)
        self.choices: Choices = self.layout.choose(port=base, seed=7, epsilon="5", rounds=6)
        self.supervisor = Supervisor(self.layout.logs)

    def start(self) -> None:
        consortium.found(self.layout)
        address = services.start_ledger(self.layout, self.supervisor)
        brokers = services.start_broker(self.layout, self.supervisor)
        consortium.configure(self.layout, self.choices, address, brokers)
        waiting = {}
        for site in (HUB, *HOSPITALS):
            for command in services.setup_commands(self.layout.config(site)):
                waiting[command.name] = self.supervisor.start(command.name, command.argv, command.env)
        self.supervisor.wait(waiting)
        for site in (HUB, *HOSPITALS):
            services.start(self.layout, site, "reactor", self.supervisor)

    def worker(self, site, crash_at: str = "") -> None:
        for process in node_processes(self.layout.config(site)):
            if process.name == f"{site.name}-worker":
                env = {**process.env, "COVENANT_TESTING": "1", "COVENANT_CRASH_AT": crash_at}
                self.supervisor.start(process.name, process.argv, env)

    def died(self, site) -> bool:
        """Whether the worker of `site` was killed; any other end is a failure."""
        status = self.supervisor.children[f"{site.name}-worker"].poll()
        assert status in (None, -signal.SIGKILL), self.supervisor.tail(f"{site.name}-worker")
        return status is not None

    def contract(self):
        address = json.loads((self.layout.ledger / "address.json").read_text())
        identity = Identity.load(self.layout.node(HUB) / "identities" / "auditor")
        return connect(f"{address['host']}:{address['port']}", Path(address["tls_ca"]).read_bytes(), identity)


@pytest.fixture
def stack(tmp_path):
    made = Stack(tmp_path / "stack")
    try:
        yield made
    finally:
        made.supervisor.stop_all()


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_a_study_survives_every_kill(stack):
    stack.start()
    shells = Shells(stack.layout)
    with shells:
        steps = Steps(stack.layout, stack.choices, shells, None, print)
        for step in (steps.consortium, steps.data_sets):
            step()
        shells.ask_hospitals("enrol", seed=stack.choices.seed)
        for step in (steps.access, steps.plan):
            step()
        pending = {site: [point for point in POINTS if point.startswith(kind)] for site, kind in KINDS}
        visited = []
        for site in (HUB, *HOSPITALS):
            stack.worker(site, pending[site].pop(0) if pending.get(site) else "")
        shells.ask("hub", "start", study=stack.choices.study)
        deadline = time.monotonic() + STUDY_SECONDS
        while (state := shells.ask("hub", "run_state", study=stack.choices.study))["state"] != "finished":
            assert state["state"] != "failed", state
            assert time.monotonic() < deadline, (state, visited, pending)
            for site in (HUB, VICTIM):
                if stack.died(site):
                    visited.append(site.name)
                    stack.worker(site, pending[site].pop(0) if pending[site] else "")
            time.sleep(0.3)
    print("killed:", visited, "never reached:", pending)
    assert len(visited) == len(POINTS), "every point was reached and killed at"
    check_ledger(stack)


def check_ledger(stack: Stack) -> None:
    """Rounds closed once each with every fixed site; one update a site and attempt; the account holds exactly those."""
    study, records = stack.choices.study, {}
    with stack.contract() as gateway:
        head = gateway.head().height
        with gateway.contract.events() as events:
            for event in events:
                records |= json.loads(event.payload)["records"]
                if f"studies/release/{study}" in records or event.block >= head - 1:
                    break
    rounds = [value for key, value in records.items() if key.startswith(f"studies/round/{study}/")]
    closed = {one["round"]: one for one in rounds if one["status"] == "closed"}
    assert sorted(closed) == list(range(1, stack.choices.rounds + 2))
    assert all(one["status"] in ("closed", "aborted") for one in rounds)
    for one in closed.values():
        kind = "update" if one["kind"] == "training" else "measurement"
        given = [key for key in records if key.startswith(f"studies/{kind}/{study}/{one['round']}/{one['attempt']}/")]
        assert [key.rpartition("/")[2] for key in sorted(given)] == one["sites"]
    assert records[f"studies/study/{study}"]["status"] == "released"
