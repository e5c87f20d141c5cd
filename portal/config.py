"""A node's settings: one typed file, read once. `COVENANT_NODE` names it.

Paths in the file may be relative to its folder. Whatever is missing or odd is told at once, as a table, before anything
starts; an unknown setting is odd too, since a misspelt one would otherwise be a setting left out.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from consent.countries import COUNTRIES
from consent.mandate import Ages
from portal.errors import ConfigurationError

VARIABLE = "COVENANT_NODE"
IDENTITIES = {"hospital": ("registrar", "steward", "site"), "hub": ("researcher", "runner", "auditor")}
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`address`: host:port of a gateway. `tls_ca`: the PEM file of the authority that its certificate comes from."""

    address: str
    tls_ca: Path


class LedgerAddress(Place, frozen=True, forbid_unknown_fields=True):
    """The gateway this node speaks to: on Fabric a hospital's own peer.

    `tls_client`: the folder with the certificate and key (server.pem, server.key) to show a peer that asks who
    connects, as every peer of a Fabric network of ours does. `others`: where a hub goes on when that peer is away.
    """

    tls_client: Path | None = None
    others: tuple[Place, ...] = ()

    @property
    def places(self) -> tuple[Place, ...]:
        """All gateways, the preferred one first."""
        return (self, *self.others)


class Broker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url`: redis:// or rediss://, with this node's own user and password."""

    url: str


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another node, as people meet it: its portal's address."""

    name: str
    msp: str
    title: str
    url: str


class NodeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that makes this installation this node. All paths are absolute once loaded."""

    name: str
    role: Literal["hospital", "hub"]
    msp: str
    title: str
    host: str
    port: int
    database: str
    ledger: LedgerAddress
    identities: dict[str, Path]
    broker: Broker
    data: Path
    secret_key_file: Path
    encryption_key_file: Path | None = None
    peers: tuple[Peer, ...] = ()
    channel: str = "covenant"
    https: bool = False
    country: str = ""  # two letters: whose rule about what stays after a withdrawal holds
    ages: Ages | None = None  # from when on children are asked here, and from when on they decide alone
    device: Literal["auto", "cpu", "cuda"] = "cpu"  # what this hospital trains on; auto: a GPU where there is one
    matching: Literal["strict", "compatible"] = "strict"  # how this hospital's committee reads its data sets' own terms

    @property
    def url(self) -> str:
        """The portal's address as people type it."""
        return f"{'https' if self.https else 'http'}://{self.host}:{self.port}"

    def identity(self, role: str) -> Path:
        """The folder of the identity this node signs with as `role`; `config.identity` where it holds none."""
        if role not in self.identities:
            raise ConfigurationError("config.identity", f"this node holds no identity for the role {role}", role=role)
        return self.identities[role]

    def secret_key(self) -> str:
        return read_private(self.secret_key_file).decode()

    def encryption_key(self) -> bytes:
        """The Fernet key of a hospital's store."""
        if self.encryption_key_file is None:
            raise ConfigurationError("config.no-store", "this node keeps no patients, so it has no key to open a store")
        return read_private(self.encryption_key_file)


def load(path: Path | str | None = None) -> NodeConfig:
    """The node whose settings stand in `path`, or in the file that COVENANT_NODE names.

    Raises ConfigurationError `config.missing`, `config.unreadable`, or `config.invalid` with a table of every fault.
    """
    named = path or os.environ.get(VARIABLE)
    if not named:
        raise ConfigurationError("config.missing", f"set {VARIABLE} to the node's settings file (node.json)")
    file = Path(named).absolute()
    try:
        raw = msgspec.json.decode(file.read_bytes())
    except OSError as error:
        reason = f"{file} cannot be read ({error.strerror}): name a node's settings file (node.json)"
        raise ConfigurationError("config.unreadable", reason) from None
    except msgspec.MsgspecError as error:
        reason = f"{file} cannot be read as JSON ({error}): name a node's settings file (node.json)"
        raise ConfigurationError("config.unreadable", reason) from None
    if not isinstance(raw, dict):
        raise ConfigurationError("config.unreadable", f"{file} must hold one JSON object")
    values, faults = convert(raw, file.parent)
    if not faults:
        config = NodeConfig(**values)
        faults = [*odd(config)]
        if not faults:
            return config
    raise ConfigurationError("config.invalid", table(file, faults), faults=faults)


def convert(raw: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Each setting by its own type, so that one run names all faults."""
    known = {field.name: field for field in msgspec.structs.fields(NodeConfig)}
    values: dict[str, Any] = {}
    faults = [(name, "unknown setting: remove it or correct its name") for name in sorted(raw.keys() - known.keys())]
    for name, field in known.items():
        if name not in raw:
            if field.required:
                faults.append((name, "missing"))
            continue
        try:
            values[name] = msgspec.convert(raw[name], field.type, dec_hook=paths(folder))
        except msgspec.ValidationError as error:
            faults.append((name, str(error)))
    return values, faults


def paths(folder: Path) -> Callable[[type, Any], Any]:
    def hook(kind: type, value: Any) -> Any:
        if kind is Path and isinstance(value, str) and value:
            return (folder / value).absolute()
        raise msgspec.ValidationError("Expected a path")

    return hook


def odd(config: NodeConfig) -> Iterator[tuple[str, str]]:
    """What has the right type and still cannot work."""
    if not NAME.fullmatch(config.name):
        yield "name", "lower-case letters, digits and hyphens, a letter first, 31 at most: cookies carry it"
    if not 1 <= config.port <= 65535:
        yield "port", "1 to 65535"
    if urlsplit(config.database).scheme not in ("sqlite", "postgres", "postgresql"):
        yield "database", "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
    for role in IDENTITIES[config.role]:
        if role not in config.identities:
            yield f"identities.{role}", "missing"
    for role, folder in sorted(config.identities.items()):
        if role not in IDENTITIES[config.role]:
            yield f"identities.{role}", f"a {config.role} signs only as {', '.join(IDENTITIES[config.role])}"
        elif not folder.is_dir():
            yield f"identities.{role}", f"no folder {folder}"
    if config.country and config.country not in COUNTRIES:
        yield "country", "two letters of ISO 3166-1, such as DE"
    if not config.data.is_dir():
        yield "data", f"no folder {config.data}"
    if config.role == "hospital" and config.ledger.others:
        yield "ledger.others", "a hospital believes its own organisation's peer alone: remove it"
    yield from odd_keys(config)


def odd_keys(config: NodeConfig) -> Iterator[tuple[str, str]]:
    if config.role == "hospital" and config.encryption_key_file is None:
        yield "encryption_key_file", "missing: a hospital keeps its patients' secrets encrypted"
    if config.role == "hub" and config.encryption_key_file is not None:
        yield "encryption_key_file", "a hub keeps no patients: remove it"
    for name in ("secret_key_file", "encryption_key_file"):
        if (file := getattr(config, name)) is not None:
            try:
                read_private(file)
            except ConfigurationError as error:
                yield name, error.message
    if (folder := config.ledger.tls_client) is not None:
        try:
            read_private(folder / "server.key")
        except ConfigurationError as error:
            yield "ledger.tls_client", error.message


def read_private(file: Path) -> bytes:
    """The content of a key file, without the line end; `config.key-file` unless only its owner may read it."""
    try:
        state = file.stat()
        content = _content(file, (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size))
    except OSError as error:
        raise ConfigurationError("config.key-file", f"cannot read {file}: {error.strerror}") from None
    if stat.S_IMODE(state.st_mode) & 0o077:
        raise ConfigurationError("config.key-file", f"others can read {file}: chmod 600 it")
    if len(content) < 32:
        raise ConfigurationError("config.key-file", f"{file} holds fewer than 32 characters: make a new key")
    return content


@lru_cache(maxsize=8)
def _content(file: Path, state: tuple[int, ...]) -> bytes:
    """What `file` holds; `state` tells when it has to be read again."""
    return file.read_bytes().strip()


def table(file: Path, faults: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in faults)
    return "\n".join([f"{file} cannot be used:", *(f"  {name:<{width}}  {fault}" for name, fault in faults)])
