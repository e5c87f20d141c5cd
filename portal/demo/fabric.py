"""The demo's Fabric network, as one process: up while this runs, down when it is told to end or the demo dies.

python -m portal.demo.fabric DIR

Founds the network below DIR/ledger, or starts the one that is there, puts this code's contracts on it, and says in
DIR/ledger/peers.json where each node finds its peer.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

from consent.errors import CovenantError
from ledger.identity import tls
from ledger.identity.ca import Authority
from ledger.network import binaries, lifecycle
from ledger.network import network as networks
from ledger.network import plan as plans
from ledger.network.layout import Layout as Files
from ledger.network.network import Network
from ledger.network.package import Package
from ledger.network.plan import Member, Organisation
from portal.demo.layout import HOSPITALS, HUB, SITES, Choices, Layout, Site, write_json
from portal.errors import PortalError

HOST = "127.0.0.1"
PROFILE = "latency"  # a study waits for one transaction after another
TLS_DAYS = 30  # a node's certificate is made anew whenever the demo starts
ENDING = (signal.SIGTERM, signal.SIGINT)


def announced(layout: Layout) -> Path:
    return layout.ledger / "peers.json"


def check(layout: Layout | None) -> None:
    """Raise, before anything starts: NetworkError `network.binaries-*`; PortalError `demo.other-contracts` where the
    network of `layout` was founded with other contracts than are installed here, which its hosts would refuse to run.
    """
    binaries.find()
    if layout is None:
        return
    files = Files(layout.ledger)
    if files.plan.exists() and (agreed := files.read().contracts) and agreed[-1].label != Package.of().label:
        raise PortalError(
            "demo.other-contracts",
            f"the hospitals in {layout.directory} agreed on {agreed[-1].label}, and {Package.of().label} is installed: "
            "check that version out again, choose another --dir, or start over with --reset",
        )


def main() -> None:
    layout = Layout(Path(sys.argv[1]))
    choices = layout.remembered()
    for number in ENDING:
        signal.signal(number, lambda *_: sys.exit())
    try:
        try:
            write_json(announced(layout), places(layout, up(layout, choices)))
            signal.pause()
        finally:
            for number in ENDING:
                signal.signal(number, signal.SIG_IGN)
            if Files(layout.ledger).plan.exists():  # else founding it has failed, and undone itself
                networks.down(layout.ledger)
    except CovenantError as error:
        sys.exit(str(error))


def up(layout: Layout, choices: Choices) -> Network:
    """The network, running this code's contracts. Raises NetworkError."""
    member = {site: Member(site.name, site.msp) for site in SITES}
    plan = plans.draw(
        [member[site] for site in HOSPITALS],
        [member[HUB]],
        host=HOST,
        port=choices.network_port,
        interval_ms=plans.PROFILES[PROFILE],
    )
    network = networks.up(layout.ledger, plan, {site.name: layout.node(site) / "ca" for site in SITES}, print)
    return lifecycle.deploy(network, Package.of(), print)


def places(layout: Layout, network: Network) -> dict[str, Any]:
    """Each node's settings for the ledger, by its name: a hospital's own peer; for the hub any, one at a time."""
    peers = {each.name: place(network, each) for each in network.plan.hospitals}
    first, *others = peers.values()
    found = {}
    for site in SITES:
        at = {**first, "others": others} if site is HUB else peers[site.name]
        found[site.name] = {**at, "tls_client": str(shown(layout, site, network))}
    return found


def place(network: Network, hospital: Organisation) -> dict[str, str]:
    return {"address": str(hospital.peer), "tls_ca": str(network.layout.tls_ca(hospital))}


def shown(layout: Layout, site: Site, network: Network) -> Path:
    """The folder, in the node's own, of the certificate that it shows to peers, made now by its organisation."""
    organisation = network.plan.find(site.name)
    authority = Authority.load(network.layout.tls_ca(organisation).parent)
    folder = layout.node(site) / "tls"
    tls.issue(authority, f"portal.{site.name}", [HOST], TLS_DAYS).save(folder)
    return folder


if __name__ == "__main__":
    main()
