"""New keys and certificates for an organisation before the old ones expire, while the others go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ledger.identity import files
from ledger.network import material
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.lifecycle import connect_host
from ledger.network.membership import SIGNING, reconfigure
from ledger.network.network import Network
from ledger.network.node import Node
from ledger.network.plan import Organisation


def renew(network: Network, name: str, tell: Callable[[str], None] = lambda text: None) -> None:
    """Issue anew what the authorities of the organisation `name` issue; a hospital's processes start with it.

    The orderer's certificates stand in the channel's configuration: a majority of administrators signs the change, and
    where that fails the old ones are put back.
    Raises NetworkError `network.unknown-organisation`, `network.elsewhere`, `network.authority-away`, and as
    reconfigure() does.
    """
    network.whole(SIGNING)
    layout, organisation = network.layout, network.plan.find(name)
    with layout.lock():
        authorities = material.authorities(layout, organisation)
        before = _kept(layout, organisation)
        for part in material.PARTS[organisation.kind]:
            material.renew(layout, organisation, part, *authorities)
        if organisation.kind == "hospital":
            tell(f"Telling the channel of the new orderer of {organisation.name}")
            try:
                reconfigure(network)
            except NetworkError:
                _put_back(before)
                raise
            _start_again(network, network.node(name))


def _kept(layout: Layout, organisation: Organisation) -> dict[Path, bytes]:
    """What is about to be replaced: the channel knows it until it has taken the change."""
    folder = layout.folder(organisation)
    folders = [folder / part / kind for part in material.PARTS[organisation.kind] for kind in ("msp", "tls")]
    return {file: file.read_bytes() for each in folders for file in each.rglob("*") if file.is_file()}


def _put_back(before: dict[Path, bytes]) -> None:
    for file, data in before.items():
        (files.write_secret if file.name in ("key.pem", "server.key") else files.write)(file, data)


def _start_again(network: Network, node: Node) -> None:
    """With the new keys, which the channel knows by now; the running orderer keeps the old ones in memory till then."""
    network.stop([node])
    for contracts in network.plan.contracts:
        connect_host(network.layout, node.organisation, contracts)
    # The peer keeps a copy of how it reached its host, with its old key, until it builds the package again.
    builds = network.layout.folder(node.organisation) / "peer" / "data" / "externalbuilder" / "builds"
    shutil.rmtree(builds, ignore_errors=True)
    network.start([node])
    network.await_known()
