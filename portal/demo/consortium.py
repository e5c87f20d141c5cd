"""Who takes part: each organisation's certificate authority and identities, the genesis block, each node's settings.

Each node's keys lie in that node's folder alone; only the ledger's own folder holds the hospitals' peer keys.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet

from ledger.embedded.create import create
from ledger.identity.ca import Authority
from portal import databases
from portal.config import IDENTITIES
from portal.demo.ages import AGES
from portal.demo.layout import HOSPITALS, HUB, SITES, Choices, Kind, Layout, Site, port_of, write, write_json

CHANNEL = "covenant"


def role_of(site: Site) -> str:
    return "hub" if site is HUB else "hospital"


def found(layout: Layout, choices: Choices) -> None:
    """Make authorities, identities, key files and the genesis block: all of it, or again from the start.

    A Fabric network makes its genesis block itself, of the same authorities (portal.demo.fabric).
    """
    if (layout.ledger / "genesis.block").exists():
        return
    authorities = {site.msp: authority(layout.node(site) / "ca", site) for site in SITES}
    for site in SITES:
        for role in IDENTITIES[role_of(site)]:
            identity = authorities[site.msp].issue(f"{role}.{site.name}", roles=[role])
            identity.save(layout.node(site) / "identities" / role)
        key_file(layout.node(site) / "secret.key", secrets.token_urlsafe(48).encode())
        if site is not HUB:
            key_file(layout.node(site) / "encryption.key", Fernet.generate_key())
    if choices.ledger == Kind.embedded:
        create(
            layout.ledger,
            authorities,
            hospitals=[site.msp for site in HOSPITALS],
            institutes=[HUB.msp],
            channel=CHANNEL,
        )


def authority(folder: Path, site: Site) -> Authority:
    if (folder / "ca.key").exists():
        return Authority.load(folder)
    made = Authority.create(site.msp, f"ca.{site.name}")
    made.save(folder)
    return made


def key_file(file: Path, content: bytes) -> None:
    """Write a secret once, whole, for its owner's eyes."""
    if not file.exists():
        write(file, content)


def configure(layout: Layout, choices: Choices, ledgers: Mapping[str, Any], brokers: Mapping[str, str]) -> None:
    """Write every node's settings. `ledgers`: where each finds the ledger, by its name; `brokers`: the broker's URL."""
    for site in SITES:
        node = layout.node(site)
        (node / "data").mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {
            "name": site.name,
            "role": role_of(site),
            "msp": site.msp,
            "title": site.title,
            "host": f"{site.name}.localhost",
            "port": port_of(site, choices.port),
            "database": databases.sqlite(node / "store.sqlite3"),
            "ledger": ledgers[site.name],
            "identities": {role: str(node / "identities" / role) for role in IDENTITIES[role_of(site)]},
            "broker": {"url": brokers[site.name]},
            "data": str(node / "data"),
            "secret_key_file": str(node / "secret.key"),
            "peers": [
                {"name": other.name, "msp": other.msp, "title": other.title, "url": layout.address(other, choices.port)}
                for other in SITES
                if other is not site
            ],
        }
        if site is not HUB:
            settings["encryption_key_file"] = str(node / "encryption.key")
            settings["country"] = site.country
            settings["ages"] = msgspec.to_builtins(AGES[site.name])
        write_json(layout.config(site), settings)


def founding_organisations(port: int) -> list[dict[str, Any]]:
    """The organisations as `members:Found` records them. Passkeys are bound to each node's own name."""
    return [
        {
            "msp": site.msp,
            "name": site.title,
            "kind": "institute" if site is HUB else "hospital",
            "roles": list(IDENTITIES[role_of(site)]) + ([] if site is HUB else ["peer"]),
            "origins": [f"http://{site.name}.localhost:{port_of(site, port)}"],
            "rp_id": f"{site.name}.localhost",
            "country": site.country,
            "sector": site.sector,
        }
        for site in SITES
    ]
