"""Members on machines of their own, each with a directory of its own: no private key ever leaves its member.

Each makes its keys (`prepare`) and sends NAME.member.json, in which nothing is secret, to one of them. That one puts
these files together (`found`), and everybody takes the result (`accept`): each makes the channel's first block from it
itself, which must have the digest that the members have told each other in another way, by telephone say, and must
name the member as it named itself. From then on the directory is a network's like any other, whose plan says whose it
is (`here`), and holds of the others what everybody may know.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal

from msgspec import structs

from consent import canonical
from consent.canonical import Document
from ledger.identity import files
from ledger.network import material
from ledger.network.entries import Entry, check_apart, entry, group, read, write
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.membership import enter
from ledger.network.network import Network
from ledger.network.node import Node
from ledger.network.plan import CHANNEL, Member, Organisation, Plan, check_host, check_member, check_port
from ledger.protocol import consortium, genesis


class Consortium(Document, frozen=True):
    """What all members take: consortium.json.

    `seconds`: when the channel begins (UTC since 1970); `nonce`: 24 random bytes, in hexadecimal digits.
    """

    channel: str
    interval_ms: int
    seconds: int
    nonce: str
    members: tuple[Entry, ...]

    @property
    def plan(self) -> Plan:
        """Raises NetworkError `network.organisations`, `network.port`, where members stand in each other's way."""
        hospitals = sorted(each.name for each in self.members if each.kind == "hospital")
        numbers = {name: number for number, name in enumerate(hospitals, 1)}
        for what in ("name", "msp"):
            if not hospitals or len({getattr(each, what) for each in self.members}) != len(self.members):
                raise NetworkError("network.organisations", f"name at least one hospital, and each {what} once")
        check_apart(self.members)
        organisations = tuple(
            Organisation(
                name=each.name,
                msp=each.msp,
                kind=each.kind,
                host=each.host,
                port=each.port,
                consenter=numbers.get(each.name, 0),
            )
            for each in self.members
        )
        kind = consortium.kind(len(hospitals))
        return Plan(channel=self.channel, organisations=organisations, ordering=kind, interval_ms=self.interval_ms)

    @property
    def genesis(self) -> bytes:
        """The channel's first block: the same bytes wherever it is made."""
        wanted = group(self.members, self.plan)
        return genesis.first_block(self.channel, wanted, self.seconds, bytes.fromhex(self.nonce))


def prepare(directory: Path, member: Member, kind: Literal["hospital", "institute"], host: str, port: int) -> Path:
    """Make the keys of `member` in a directory of its own; the file that the others need.

    Raises NetworkError `network.member-exists` where a member's keys are there, `network.other-plan` where a network
    is, `network.name`, `network.port*`, `network.address`.
    """
    layout = Layout(directory.absolute())
    check_member(member)
    organisation = Organisation(
        name=member.name, msp=member.msp, kind=kind, host=check_host(host), port=check_port(port)
    )
    with layout.lock():
        _without_a_network(layout)
        if layout.prepared:
            raise NetworkError(
                "network.member-exists",
                f"{layout.prepared[0]} is what the others need; a second member needs another --dir",
            )
        plan = Plan(channel=CHANNEL, organisations=(organisation,), ordering="BFT", interval_ms=0)
        if kind == "hospital":
            Node(layout, plan, organisation).check_ports()
        shutil.rmtree(layout.folder(organisation), ignore_errors=True)  # half made: nobody has heard of it
        material.create(layout, organisation)
        file = layout.member(member.name)
        files.write(file, canonical.encode(entry(layout, organisation)))
    return file


def found(given: Sequence[Path], interval_ms: int) -> Consortium:
    """The consortium of the members that sent the files `given`, in whatever order.

    Raises NetworkError `network.malformed`, and as Entry.check and Consortium.plan do.
    """
    told = [read(file, Entry) for file in given]
    for each, file in zip(told, given, strict=True):
        each.check(file)
    made = Consortium(
        channel=CHANNEL,
        interval_ms=interval_ms,
        seconds=int(time.time()),
        nonce=os.urandom(24).hex(),
        members=tuple(sorted(told, key=lambda each: each.name)),
    )
    made.plan  # noqa: B018  # whether these can be one
    return made


def accept(directory: Path, file: Path, digest: str) -> Plan:
    """Take the consortium in `file` for the member whose directory this is. `digest`: SHA-256 of its first block.

    Raises NetworkError `network.other-genesis`, `network.other-member`, `network.not-prepared`, `network.other-plan`,
    `network.malformed`, and as Entry.check and Consortium.plan do.
    """
    layout = Layout(directory.absolute())
    given = read(file, Consortium)
    for each in given.members:
        each.check(file)
    with layout.lock():
        name = prepared(layout, given.members, given.plan, file).name
        block = given.genesis
        if sha256(block).hexdigest() != digest:
            raise NetworkError(
                "network.other-genesis",
                f"the first block that {file} makes has the digest {sha256(block).hexdigest()}, not {digest}: ask the "
                "other members which one is theirs",
            )
        for each in given.members:
            if each.name != name:
                write(layout, each)
        files.write(layout.genesis, block)
        files.write(layout.genesis_digest, digest.encode() + b"\n")
        plan = structs.replace(given.plan, here=name)
        layout.write(plan)
    return plan


def up(network: Network) -> None:
    """Start what runs from this directory, and let it take part in the channel; the others may come later.

    Raises NetworkError `network.no-node` for an institute, and as Network.start().
    """
    hospital = network.first
    with network.layout.lock():
        network.start(network.nodes)
        joined = network.layout.configuration / "config.block"
        enter(network, hospital, joined if hospital.joined else network.layout.genesis)


def prepared(layout: Layout, told: Sequence[Entry], plan: Plan, file: Path) -> Organisation:
    """The member whose keys were made in this directory, as `file` names it.

    Raises NetworkError `network.not-prepared`, `network.other-plan`, and `network.other-member` where the file says of
    it what its own keys do not say.
    """
    _without_a_network(layout)
    if len(layout.prepared) != 1:
        raise NetworkError(
            "network.not-prepared",
            f"{layout.directory} holds no member's keys: covenant network prepare NAME makes them",
        )
    name = read(layout.prepared[0], Entry).name
    own = next((each for each in plan.organisations if each.name == name), None)
    if own is None or entry(layout, own) not in told:
        raise NetworkError(
            "network.other-member",
            f"{file} does not say of {name} what {layout.prepared[0]} says: have it made again with this file",
        )
    return own


def _without_a_network(layout: Layout) -> None:
    if layout.plan.exists() or layout.draft.exists():
        raise NetworkError(
            "network.other-plan", f"{layout.directory} holds a network: covenant network up starts it, or choose --dir"
        )
