"""Starting the demo's processes: ledger, broker, then web, reactor and worker of each node."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from typing import Any

from portal.demo import consortium, fabric, nursery
from portal.demo.layout import HOSPITALS, HUB, SITES, Choices, Kind, Layout, Site, free_ports, needed_ports, port_of
from portal.demo.supervisor import Supervisor
from portal.errors import PortalError
from portal.grid import broker
from portal.processes import node_processes, setup_commands


def start_all(layout: Layout, choices: Choices, supervisor: Supervisor) -> None:
    """Everything; the pages answer before the workers load their libraries."""
    supervisor.nurse(nursery.NODES)
    ledgers = (start_network if choices.ledger == Kind.fabric else start_ledger)(layout, choices, supervisor)
    brokers = start_broker(layout, supervisor)
    consortium.configure(layout, choices, ledgers, brokers)
    migrations: dict[str, Any] = {}
    for site in SITES:
        for command in setup_commands(layout.config(site)):
            migrations[command.name] = supervisor.start(command.name, command.argv, command.env, supervisor.nursery)
    supervisor.wait(migrations)
    for site in SITES:
        start(layout, site, "web", supervisor)
    await_pages(choices, supervisor)
    for kind in ("reactor", "worker"):
        for site in SITES:
            start(layout, site, kind, supervisor)


def start(layout: Layout, site: Site, kind: str, supervisor: Supervisor) -> None:
    for process in node_processes(layout.config(site)):
        if process.name == f"{site.name}-{kind}":
            supervisor.start(process.name, process.argv, process.env, supervisor.nursery)


def start_ledger(layout: Layout, choices: Choices, supervisor: Supervisor) -> dict[str, Any]:
    """Where each node finds the embedded ledger, once it answers. The port of an earlier run is not asked for: another
    may hold it now.
    """
    announced = layout.ledger / "address.json"
    announced.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "ledger.cli", "serve", "--dir", str(layout.ledger)]
    supervisor.start("ledger", argv)
    supervisor.await_ready("the ledger", announced.exists)
    return one_ledger(json.loads(announced.read_text()))


def one_ledger(address: dict[str, Any]) -> dict[str, Any]:
    """Every node's settings for the embedded ledger that says `address` (its address.json)."""
    place = {"address": f"{address['host']}:{address['port']}", "tls_ca": address["tls_ca"]}
    return {site.name: place for site in SITES}


def start_network(layout: Layout, choices: Choices, supervisor: Supervisor) -> dict[str, Any]:
    """Where each node finds its peer of the Fabric network, once all peers run the contracts."""
    announced = fabric.announced(layout)
    announced.unlink(missing_ok=True)
    supervisor.start("ledger", [sys.executable, "-m", "portal.demo.fabric", str(layout.directory)])
    supervisor.await_ready("the network", announced.exists)
    found: dict[str, Any] = json.loads(announced.read_text())
    return found


def start_broker(layout: Layout, supervisor: Supervisor) -> dict[str, str]:
    """The broker's URL for each node, by name, once it answers."""
    users = {site.name: broker.HUB if site is HUB else site.msp for site in SITES}
    broker.prepare(layout.broker, [site.msp for site in HOSPITALS])
    supervisor.start("broker", broker.command(layout.broker))
    broker.wait(layout.broker, supervisor.children["broker"])
    return {name: broker.url(layout.broker, user) for name, user in users.items()}


def await_pages(choices: Choices, supervisor: Supervisor) -> None:
    """Wait until every node's first page answers."""
    for site in SITES:
        supervisor.await_ready(f"the portal of {site.name}", lambda site=site: answers(site, choices.port))  # type: ignore[misc]


def answers(site: Site, port: int) -> bool:
    url = f"http://127.0.0.1:{port_of(site, port)}/"
    request = urllib.request.Request(url, headers={"Host": f"{site.name}.localhost:{port_of(site, port)}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as page:  # noqa: S310
            return bool(page.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def check(layout: Layout, choices: Choices, *, afresh: bool) -> None:
    """Raise, before anything is written: PortalError `demo.port-in-use` unless all ports are free, and as
    fabric.check. `afresh`: what the directory holds is about to go.
    """
    if choices.ledger == Kind.fabric:
        fabric.check(None if afresh else layout)
    wanted = needed_ports(choices.port, choices.ledger)
    if taken := sorted(set(wanted) - set(free_ports(wanted))):
        listed = ", ".join(map(str, taken))
        settled = layout.chosen.exists() and not afresh
        other = "choose another --dir with another --port" if settled else "choose another --port"
        raise PortalError("demo.port-in-use", f"port {listed} on loopback is in use: stop what uses it, or {other}")
