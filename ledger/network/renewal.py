"""New keys and certificates for an organisation before the old ones expire, while the others go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ledger.identity import files
from ledger.network import material
from ledger.network.entries import Entry, entries, entry, group, with_orderer
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.lifecycle import connect_host
from ledger.network.membership import reconfigure
from ledger.network.network import Network
from ledger.network.node import Node
from ledger.network.plan import Organisation

LASTING = timedelta(days=30)  # what expires sooner is issued once more


def renew(network: Network, name: str, tell: Callable[[str], None] = lambda text: None) -> None:
    """Issue anew what the authorities of the organisation `name` issue; a hospital's processes start with it.

    The orderer's certificates stand in the channel's configuration: a majority of administrators signs the change, and
    until the channel has taken it the old ones stay in use.
    Raises NetworkError `network.unknown-organisation`, `network.elsewhere`, `network.authority-away`, and as
    reconfigure() does.
    """
    organisation = network.own(name)
    if organisation.kind == "hospital":
        network.whole(f"covenant network renew {name} begins a change that all sign")
    with network.layout.lock():
        issue(network.layout, organisation)
        if organisation.kind == "hospital":
            tell(f"Telling the channel of the new orderer of {organisation.name}")
            told = entries(network.layout, network.plan)
            new = renewed(network.layout, organisation)
            reconfigure(network, group((new if each.name == name else each for each in told), network.plan))
        install(network, organisation)


def issue(layout: Layout, organisation: Organisation) -> None:
    """Make new keys and certificates, which lie aside; those that an earlier command made, and the channel may have
    taken meanwhile, are used before others are made.

    Where old ones have expired, or are not whole, the administrator takes its new ones at once: the channel does not
    name them, and nobody would listen to the old.
    """
    folder = layout.renewal(organisation)
    made = [each for each in folder.rglob("*.pem") if each.name in ("cert.pem", "server.pem")]
    if not made or not all(_lasts(each) for each in made):
        _make(layout, organisation)
    try:
        material.check(layout, organisation)
    except NetworkError:
        _put(folder / "admin", layout.folder(organisation) / "admin")


def _make(layout: Layout, organisation: Organisation) -> None:
    folder = layout.renewal(organisation)
    authorities = material.authorities(layout, organisation)
    draft = folder.with_suffix(".draft")
    for each in (draft, folder):
        shutil.rmtree(each, ignore_errors=True)
    for part in material.PARTS[organisation.kind]:
        material.issue(draft / part, organisation, part, *authorities)
    draft.rename(folder)


def renewed(layout: Layout, organisation: Organisation) -> Entry:
    """What the hospital tells the others: its new orderer's certificates, and whom its authority has revoked."""
    return with_orderer(entry(layout, organisation), layout.renewal(organisation))


def install(network: Network, organisation: Organisation) -> None:
    """Use what issue() made: the channel knows it by now, and the running orderer has the old ones in memory still."""
    folder = network.layout.renewal(organisation)
    _put(folder, network.layout.folder(organisation))
    if organisation.kind == "hospital":
        _start_again(network, network.node(organisation.name))
    shutil.rmtree(folder.rename(folder.with_suffix(".done")))


def _put(folder: Path, place: Path) -> None:
    for file in [each for each in folder.rglob("*") if each.is_file()]:
        write = files.write_secret if file.name in ("key.pem", "server.key") else files.write
        write(place / file.relative_to(folder), file.read_bytes())


def _lasts(certificate: Path) -> bool:
    return files.certificate(certificate).not_valid_after_utc > datetime.now(UTC) + LASTING


def _start_again(network: Network, node: Node) -> None:
    network.stop([node])
    for contracts in network.plan.contracts:
        connect_host(network.layout, node.organisation, contracts)
    # The peer keeps a copy of how it reached its host, with its old key, until it builds the package again.
    builds = network.layout.folder(node.organisation) / "peer" / "data" / "externalbuilder" / "builds"
    shutil.rmtree(builds, ignore_errors=True)
    network.start([node])
    network.await_known()
