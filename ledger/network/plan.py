"""Who takes part in a network, at which addresses, and what was deployed on it: DIR/network.json.

    >>> plan = draw(["Aachen", "bern"], ["hub"], host="127.0.0.1", port=7050)
    Traceback (most recent call last):
    ledger.network.errors.NetworkError: network.name: 'Aachen' is no name for an organisation: use 1 to 30 lower-case \
letters, digits and hyphens, a letter first
    >>> plan = draw(["aachen", "bern"], ["hub"], host="127.0.0.1", port=7050)
    >>> [(each.msp, str(each.peer)) for each in plan.hospitals]
    [('AachenMSP', '127.0.0.1:7050'), ('BernMSP', '127.0.0.1:7062')]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from msgspec import structs

from consent.canonical import Document
from ledger.network.errors import NetworkError
from ledger.protocol import consortium
from ledger.protocol.consortium import Address

CHANNEL = CHAINCODE = "covenant"
NAME = re.compile(r"[a-z][a-z0-9-]{0,29}\Z")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
MSP = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,63}\Z")
PORTS = (
    "peer",
    "peer_chaincode",
    "peer_operations",
    "orderer",
    "orderer_admin",
    "orderer_operations",
    "host_a",
    "host_a_metrics",
    "host_b",
    "host_b_metrics",
)
PROFILES = {"latency": 50, "throughput": 200}  # milliseconds that orderers wait for a fuller block
STRIDE = 12  # ports from one hospital's first to the next one's


class Organisation(Document, frozen=True):
    """One member; `name` also names its folder and processes.

    `port`: the first of its ports, in the order of PORTS. `consenter`: a hospital's number among the orderers, from 1.
    `joined`: whether it came after the channel was founded.
    """

    name: str
    msp: str
    kind: Literal["hospital", "institute"]
    host: str
    port: int
    consenter: int = 0
    joined: bool = False

    def address(self, what: str) -> Address:
        """Where its `what`, one of PORTS, listens."""
        return Address(self.host, self.port + PORTS.index(what))

    @property
    def peer(self) -> Address:
        return self.address("peer")

    @property
    def orderer(self) -> Address:
        return self.address("orderer")


class Contracts(Document, frozen=True):
    """One version of the contracts on the network.

    `slot`: which of a hospital's two pairs of host ports it uses. `source`: the folder that its hosts are started from.
    `committed`: whether the channel runs it, or it is on its way there, approved by some hospitals perhaps.
    """

    sequence: int
    version: str
    label: str
    package_id: str
    slot: Literal["a", "b"]
    source: str
    committed: bool = True


class Plan(Document, frozen=True):
    """What DIR/network.json says.

    `contracts`: the versions whose hosts run, the newest last. `joining`: the hospital that is being added, if any.
    `left`: the hospitals that are no longer members. `here`: the member whose directory this is, where each has one of
    its own; empty where all run from this one.
    """

    channel: str
    organisations: tuple[Organisation, ...]
    ordering: Literal["BFT", "etcdraft"]
    interval_ms: int
    contracts: tuple[Contracts, ...] = ()
    joining: str = ""
    left: tuple[Organisation, ...] = ()
    here: str = ""

    def running(self, *contracts: Contracts) -> Plan:
        """This plan with other versions of the contracts."""
        return structs.replace(self, contracts=contracts)

    @property
    def hospitals(self) -> tuple[Organisation, ...]:
        return tuple(each for each in self.organisations if each.kind == "hospital")

    @property
    def ours(self) -> tuple[Organisation, ...]:
        """The hospitals that run from this directory, with their keys."""
        return tuple(each for each in self.hospitals if self.here in ("", each.name))

    @property
    def coming(self) -> Contracts | None:
        """The version that is on its way to the channel."""
        return next((each for each in self.contracts if not each.committed), None)

    @property
    def founders(self) -> tuple[Organisation, ...]:
        """The hospitals of the genesis block, those that have left since among them."""
        return tuple(each for each in (*self.hospitals, *self.left) if not each.joined)

    @property
    def institutes(self) -> tuple[Organisation, ...]:
        return tuple(each for each in self.organisations if each.kind == "institute")

    def find(self, name: str) -> Organisation:
        """The member `name`, or NetworkError `network.unknown-organisation`."""
        for each in self.organisations:
            if each.name == name:
                return each
        names = ", ".join(each.name for each in self.organisations)
        raise NetworkError("network.unknown-organisation", f"{name} is not in this network; it has {names}")


@dataclass(frozen=True, slots=True)
class Member:
    """How an organisation shall be called: `name` for folders and commands, `msp` on the ledger."""

    name: str
    msp: str

    @classmethod
    def named(cls, name: str) -> Member:
        """The MSP id made from the name: `st-gallen` is StGallenMSP. Raises NetworkError `network.name`."""
        check_name(name)
        return cls(name, "".join(part.capitalize() for part in name.split("-")) + "MSP")


def draw(
    hospitals: Sequence[Member | str],
    institutes: Sequence[Member | str],
    *,
    host: str,
    port: int,
    channel: str = CHANNEL,
    interval_ms: int = 200,
) -> Plan:
    """A plan for a new network; ports are given out from `port` on.

    Raises NetworkError `network.name` for a name with odd characters, `network.organisations` where none is a hospital
    or a name stands twice, `network.port`, `network.address`.
    """
    check_host(host)
    kinds: list[tuple[Member, Literal["hospital", "institute"]]] = []
    kinds += [(_member(each), "hospital") for each in hospitals]
    kinds += [(_member(each), "institute") for each in institutes]
    names = [each.name for each, _ in kinds]
    msps = [each.msp for each, _ in kinds]
    if not hospitals or len(set(names)) != len(names) or len(set(msps)) != len(msps):
        raise NetworkError("network.organisations", "name at least one hospital, and each organisation once")
    organisations = tuple(
        Organisation(
            name=member.name,
            msp=member.msp,
            kind=kind,
            host=host,
            port=check_port(port + STRIDE * index),
            consenter=index + 1 if kind == "hospital" else 0,
        )
        for index, (member, kind) in enumerate(kinds)
    )
    kind = consortium.kind(len(hospitals))
    return Plan(channel=channel, organisations=organisations, ordering=kind, interval_ms=interval_ms)


def check_name(name: str) -> None:
    if not NAME.match(name):
        raise NetworkError(
            "network.name",
            f"{name!r} is no name for an organisation: use 1 to 30 lower-case letters, digits and hyphens, "
            "a letter first",
        )


def check_member(member: Member) -> None:
    """Raises NetworkError `network.name`."""
    check_name(member.name)
    if not MSP.match(member.msp):
        raise NetworkError(
            "network.name", f"{member.msp!r} is no MSP id: use letters, digits, dots and hyphens, a letter first"
        )


def check_port(port: int) -> int:
    if not 1024 <= port <= 65535 - STRIDE:
        raise NetworkError("network.port", f"port {port} is outside 1024 to {65535 - STRIDE}: choose another --port")
    return port


def check_host(host: str) -> str:
    if not HOST.match(host):
        raise NetworkError("network.address", f"{host!r} is no name or address of a machine: choose another --host")
    return host


def _member(given: Member | str) -> Member:
    if isinstance(given, str):
        return Member.named(given)
    check_member(given)
    return given
