"""New keys and certificates for a hospital's processes before the old ones expire, while the others go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from ledger.identity.ca import Authority
from ledger.network import material
from ledger.network.lifecycle import connect_host
from ledger.network.membership import reconfigure
from ledger.network.network import Network
from ledger.network.node import Node


def renew(network: Network, node: Node, tell: Callable[[str], None] = lambda text: None) -> None:
    """Issue everything that the hospital's authorities issue anew, and start its processes with it.

    The orderer's certificates stand in the channel's configuration, so a majority of administrators signs the change
    first; until then the running orderer keeps the old ones in memory. Raises NetworkError, as reconfigure() does.
    """
    layout, organisation = network.layout, node.organisation
    folder = layout.folder(organisation)
    with layout.lock():
        authorities = Authority.load(folder / "ca"), Authority.load(folder / "tlsca")
        for part in material.PARTS[organisation.kind]:
            material.renew(layout, organisation, part, *authorities)
        tell(f"Telling the channel of the new orderer of {organisation.name}")
        reconfigure(network)
        network.stop([node])
        for contracts in network.plan.contracts:
            connect_host(layout, organisation, contracts)
        # The peer keeps a copy of how it reached its host, with its old key, until it builds the package again.
        shutil.rmtree(folder / "peer" / "data" / "externalbuilder" / "builds", ignore_errors=True)
        network.start([node])
        network.await_known()
