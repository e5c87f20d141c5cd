"""Where the demo keeps what: one directory, one folder a node, and `demo.json` with the choices of the first run."""

from __future__ import annotations

import errno
import json
import os
import socket
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from consent.seats import Sector
from ledger import disk
from portal.errors import PortalError

DEFAULT_PORT = 8000
PORTS = 5
NETWORK = 10  # a Fabric network's ports begin so many after the first page's
NETWORK_PORTS = 60


class Kind(StrEnum):
    """What a demo runs on."""

    embedded = "embedded"
    fabric = "fabric"


@dataclass(frozen=True, slots=True)
class Site:
    """A node of the demo. `source` is the hospital's name in the UCI files, `country` two letters."""

    name: str
    title: str
    msp: str
    source: str = ""
    country: str = ""
    sector: Sector = "public"


HUB = Site("hub", "Heart Research Institute", "InstituteMSP", country="US", sector="non-profit")
HOSPITALS = (
    Site("cleveland", "Cleveland Clinic", "ClevelandMSP", "Cleveland", "US", "non-profit"),
    Site("hungary", "Hungarian Institute of Cardiology", "HungaryMSP", "Hungary", "HU"),
    Site("switzerland", "University Hospitals of Switzerland", "SwitzerlandMSP", "Switzerland", "CH"),
    Site("longbeach", "VA Long Beach", "LongBeachMSP", "VA Long Beach", "US"),
)
SITES = (HUB, *HOSPITALS)


@dataclass(frozen=True, slots=True)
class Choices:
    """What a directory was made with. Kept from the first run on, so that later runs continue the same study."""

    port: int
    seed: int
    epsilon: str
    rounds: int
    study: str
    request: str
    proposal: str
    ledger: str = Kind.embedded.value

    @property
    def network_port(self) -> int:
        """The first port of the Fabric network."""
        return self.port + NETWORK


class Layout:
    """Paths below the demo's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.held = self.directory / "demo.lock"
        self.chosen = self.directory / "demo.json"
        self.emptying = self.directory / "demo.old.json"  # what `chosen` is called while a reset deletes the rest
        self.ledger = self.directory / "ledger"
        self.broker = self.directory / "broker"
        self.logs = self.directory / "logs"
        self.out = self.directory / "out"
        self.marks = self.directory / "steps"

    def node(self, site: Site) -> Path:
        return self.directory / site.name

    def config(self, site: Site) -> Path:
        return self.node(site) / "node.json"

    def address(self, site: Site, port: int) -> str:
        return f"http://{site.name}.localhost:{port_of(site, port)}"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory, or raise PortalError `demo.directory-in-use`, `demo.directory`."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            handle = disk.hold(self.held)
        except BlockingIOError:
            raise PortalError(
                "demo.directory-in-use", f"another demo runs in {self.directory}; stop it, or choose another --dir"
            ) from None
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            reason = f"{self.directory} cannot hold a demo ({error.strerror}): choose another --dir"
            raise PortalError("demo.directory", reason) from None
        try:
            yield
        finally:
            os.close(handle)

    def choose(
        self,
        *,
        port: int | None,
        seed: int | None,
        epsilon: str | None,
        rounds: int | None,
        ledger: str | None = None,
        afresh: bool = False,
    ) -> Choices:
        """The choices of this directory: those of its first run, or the given ones if this is it (or starts `afresh`).
        Nothing is written: see `keep`.

        Raises PortalError `demo.other-choice` when a given choice differs from the remembered one, `demo.choices` where
        what is remembered cannot be read.
        """
        given = {"ledger": ledger, "port": port, "seed": seed, "epsilon": epsilon, "rounds": rounds}
        if afresh or not self.chosen.exists():
            defaults = {"ledger": Kind.embedded.value, "port": DEFAULT_PORT, "seed": 42, "epsilon": "5", "rounds": 12}
            chosen = defaults | {name: value for name, value in given.items() if value is not None}
            return Choices(**chosen, study=str(uuid.uuid4()), request=str(uuid.uuid4()), proposal=str(uuid.uuid4()))
        choices = self.remembered()
        for name, value in given.items():
            if value is not None and value != getattr(choices, name):
                raise PortalError(
                    "demo.other-choice",
                    f"{self.directory} was made with --{name} {getattr(choices, name)}; "
                    f"leave --{name} out to continue it, choose another --dir, or start over with --reset",
                )
        return choices

    def remembered(self) -> Choices:
        """The choices of the first run. Raises PortalError `demo.choices`."""
        try:
            return msgspec.json.decode(self.chosen.read_bytes(), type=Choices)
        except (OSError, msgspec.MsgspecError):
            raise PortalError(
                "demo.choices",
                f"{self.chosen} is not what a demo wrote: restore it, choose another --dir, or start over with --reset",
            ) from None

    def keep(self, choices: Choices) -> None:
        """Remember the choices of a first run."""
        if not self.chosen.exists():
            write_json(self.chosen, asdict(choices))
            for left in disk.partials(self.chosen):  # of a first run that was killed
                left.unlink()


def port_of(site: Site, port: int) -> int:
    return port + SITES.index(site)


def needed_ports(port: int, ledger: str) -> list[int]:
    """Those that a demo on `ledger` listens on: its pages, and a Fabric network's."""
    network = range(port + NETWORK, port + NETWORK + NETWORK_PORTS) if ledger == Kind.fabric else ()
    return [*range(port, port + PORTS), *network]


def free_ports(ports: Iterable[int]) -> Iterator[int]:
    """Those of `ports` that nobody listens on at loopback."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            yield port


def write(file: Path, content: bytes) -> None:
    """A whole file or none, for its owner alone, in a folder that is made for it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with disk.replacing(file) as handle:
        handle.write(content)


def write_json(file: Path, value: object) -> None:
    write(file, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())
