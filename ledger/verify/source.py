"""Where to fetch a ledger from: a directory of a demo, a node, an embedded ledger or a Fabric network, found by what
lies in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError
from ledger.gateway import Gateway, connect
from ledger.identity.msp import Identity
from ledger.network.layout import Layout


@dataclass(frozen=True, slots=True)
class Source:
    """A ledger's gateway ("host:port"), the PEM file of its TLS authority, and the MSP folder of who reads.
    `tls_client`: the folder with server.pem and server.key to show a peer that asks who connects.
    """

    address: str
    tls_ca: Path
    identity: Path
    channel: str = "covenant"
    tls_client: Path | None = None

    def connect(self) -> Gateway:
        """Raises LedgerError `source.tls-ca`, `identity.*`; an unreachable ledger shows in the first call."""
        tls_client = None
        if self.tls_client is not None:
            tls_client = _pem(self.tls_client / "server.pem"), _pem(self.tls_client / "server.key")
        reader = Identity.load(self.identity)
        return connect(self.address, _pem(self.tls_ca), reader, channel=self.channel, tls_client=tls_client)


def find(directory: Path, organisation: str = "") -> Source:
    """The source that `directory` describes: it holds network.json (a Fabric network), node.json (a node),
    hub/node.json (a demo) or genesis.block (a ledger).

    `organisation`: whose peer of a Fabric network to ask, as that organisation; its first hospital unless told.
    Raises LedgerError `source.missing`, `source.malformed`, `source.not-served` (the ledger is not running), and as
    reading a network's plan does.
    """
    if (directory / "network.json").exists():
        return _of_network(Layout(directory.absolute()), organisation)
    if organisation:
        raise LedgerError("source.no-network", f"{directory} holds no Fabric network: leave out --org")
    for node in (directory / "node.json", directory / "hub" / "node.json"):
        if node.exists():
            return _of_node(node)
    for ledger in (directory, directory / "ledger"):
        if (ledger / "genesis.block").exists():
            return _of_ledger(ledger)
    raise LedgerError(
        "source.missing", f"{directory} holds no node and no ledger: name a demo's, a node's or a ledger's directory"
    )


def _of_network(layout: Layout, name: str) -> Source:
    plan = layout.read()
    organisation = plan.find(name or plan.here) if name or plan.here else plan.hospitals[0]
    if organisation not in plan.ours:
        raise LedgerError(
            "source.no-peer", f"no peer of {organisation.name} runs from here: name a hospital that does by --org"
        )
    return Source(
        str(organisation.peer),
        layout.tls_ca(organisation),
        layout.admin(organisation),
        plan.channel,
        layout.client_tls(organisation),
    )


def _of_node(file: Path) -> Source:
    node = _read(file)
    home = file.parent
    try:
        identities = node["identities"]
        role = next(name for name in ("auditor", "site", *identities) if name in identities)
        return Source(
            node["ledger"]["address"],
            home / node["ledger"]["tls_ca"],
            home / identities[role],
            node.get("channel", "covenant"),
            home / shown if (shown := node["ledger"].get("tls_client")) else None,
        )
    except (KeyError, TypeError, StopIteration):
        raise _malformed(file) from None


def _of_ledger(directory: Path) -> Source:
    file = directory / "address.json"
    if not file.exists():
        raise LedgerError("source.not-served", f"nobody serves the ledger in {directory}: start it, then export")
    address = _read(file)
    peer = next(iter(sorted((directory / "identities").glob("*/peer"))), None)
    try:
        place = f"{address['host']}:{address['port']}"
        tls_ca = directory / address["tls_ca"]
    except (KeyError, TypeError):
        raise _malformed(file) from None
    if peer is None:
        raise LedgerError("source.missing", f"{directory} holds no identity that could read the ledger")
    return Source(place, tls_ca, peer)


def _pem(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise LedgerError("source.tls-ca", f"{file} cannot be read ({error.strerror}): name a PEM file") from None
    if b"-----BEGIN " not in content:
        raise LedgerError("source.tls-ca", f"{file} is no PEM file: name the one that the peer's operator gives")
    return content


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        raise _malformed(file) from None


def _malformed(file: Path) -> LedgerError:
    return LedgerError("source.malformed", f"{file} is not what its name says: set the node up again", path=str(file))
