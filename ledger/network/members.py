"""Members on machines of their own, each with a directory of its own: no private key ever leaves its member.

Each makes its keys (`prepare`) and sends NAME.member.json, in which nothing is secret, to one of them. That one puts
these files together (`found`), and everybody takes the result (`accept`): each makes the channel's first block from it
itself, which must have the digest that the members have told each other in another way, by telephone say, and must
name the member as it named itself. From then on the directory is a network's like any other, whose plan says whose it
is (`here`), and holds of the others what everybody may know.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Sequence
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import structs

from consent import canonical
from consent.canonical import Document
from consent.errors import CanonicalRefused
from ledger.identity import files
from ledger.network import material
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.membership import enter
from ledger.network.network import Network, channel_group
from ledger.network.node import Node
from ledger.network.plan import CHANNEL, STRIDE, Member, Organisation, Plan, check_member, check_port
from ledger.protocol import consortium, genesis

T = TypeVar("T")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
PEMS = {  # an Entry's certificates, below its member's folder
    "ca": "ca/ca.pem",
    "tls_ca": "tlsca/ca.pem",
    "orderer": "orderer/msp/signcerts/cert.pem",
    "orderer_tls": "orderer/tls/server.pem",
}


class Entry(Document, frozen=True):
    """What a member tells the others: NAME.member.json.

    `host`, `port`: as in Organisation. `ca`, `tls_ca`: its authorities' certificates, PEM; `orderer`, `orderer_tls`:
    those of a hospital's orderer, which an institute has not.
    """

    name: str
    msp: str
    kind: Literal["hospital", "institute"]
    host: str
    port: int
    ca: str
    tls_ca: str
    orderer: str = ""
    orderer_tls: str = ""

    @property
    def pems(self) -> dict[str, str]:
        """Its certificates by where they lie below the member's folder."""
        return {place: pem for field, place in PEMS.items() if (pem := getattr(self, field))}

    def check(self, of: Path) -> None:
        """Return quietly, or raise NetworkError `network.name`, `network.port`, `network.address`,
        `network.foreign-certificate`; `of`: the file that says so.
        """
        check_member(Member(self.name, self.msp))
        check_port(self.port)
        if not HOST.match(self.host):
            raise NetworkError("network.address", f"{of}: {self.host!r} is no name or address of a machine")
        pairs = [(self.ca, self.ca), (self.tls_ca, self.tls_ca)]
        if self.kind == "hospital":
            pairs += [(self.orderer, self.ca), (self.orderer_tls, self.tls_ca)]
        elif self.orderer or self.orderer_tls:
            raise _foreign(of)
        for pem, authority in pairs:
            try:
                certificate = x509.load_pem_x509_certificate(pem.encode())
                certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
            except (ValueError, TypeError, InvalidSignature):
                raise _foreign(of) from None
            if certificate.public_bytes(Encoding.PEM) != pem.encode():
                raise _foreign(of)


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
        for one, other in combinations(self.members, 2):
            if one.host == other.host and abs(one.port - other.port) < STRIDE:
                raise NetworkError(
                    "network.port",
                    f"{one.name} and {other.name} are both at {one.host}, with ports less than {STRIDE} apart: prepare "
                    "one of them with another --port",
                )
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
        plan = self.plan
        with TemporaryDirectory() as folder:
            layout = Layout(Path(folder))
            for each in self.members:
                _write(layout, each)
            group = channel_group(layout, plan)
        return genesis.first_block(self.channel, group, self.seconds, bytes.fromhex(self.nonce))


def prepare(directory: Path, member: Member, kind: Literal["hospital", "institute"], host: str, port: int) -> Path:
    """Make the keys of `member` in a directory of its own; the file that the others need.

    Raises NetworkError `network.member-exists` where a member's keys are there, `network.other-plan` where a network
    is, `network.name`, `network.port*`, `network.address`.
    """
    layout = Layout(directory.absolute())
    check_member(member)
    organisation = Organisation(name=member.name, msp=member.msp, kind=kind, host=host, port=check_port(port))
    if not HOST.match(host):
        raise NetworkError("network.address", f"{host!r} is no name or address of a machine: choose another --host")
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
        files.write(file, canonical.encode(_entry(layout, organisation)))
    return file


def found(given: Sequence[Path], interval_ms: int) -> Consortium:
    """The consortium of the members that sent the files `given`, in whatever order.

    Raises NetworkError `network.malformed`, and as Entry.check and Consortium.plan do.
    """
    entries = [_read(file, Entry) for file in given]
    for entry, file in zip(entries, given, strict=True):
        entry.check(file)
    made = Consortium(
        channel=CHANNEL,
        interval_ms=interval_ms,
        seconds=int(time.time()),
        nonce=os.urandom(24).hex(),
        members=tuple(sorted(entries, key=lambda each: each.name)),
    )
    made.plan  # noqa: B018  # whether these can be one
    return made


def accept(directory: Path, file: Path, digest: str) -> Plan:
    """Take the consortium in `file` for the member whose directory this is. `digest`: SHA-256 of its first block.

    Raises NetworkError `network.other-genesis`, `network.other-member`, `network.not-prepared`, `network.other-plan`,
    `network.malformed`, and as Entry.check and Consortium.plan do.
    """
    layout = Layout(directory.absolute())
    given = _read(file, Consortium)
    for entry in given.members:
        entry.check(file)
    with layout.lock():
        _without_a_network(layout)
        if len(layout.prepared) != 1:
            raise NetworkError(
                "network.not-prepared", f"{directory} holds no member's keys: covenant network prepare NAME makes them"
            )
        name = _read(layout.prepared[0], Entry).name
        own = next((each for each in given.plan.organisations if each.name == name), None)
        if own is None or _entry(layout, own) not in given.members:
            raise NetworkError(
                "network.other-member",
                f"{file} does not say of {name} what {layout.prepared[0]} says: have it made again with this file",
            )
        block = given.genesis
        if sha256(block).hexdigest() != digest:
            raise NetworkError(
                "network.other-genesis",
                f"the first block that {file} makes has the digest {sha256(block).hexdigest()}, not {digest}: ask the "
                "other members which one is theirs",
            )
        for entry in given.members:
            if entry.name != name:
                _write(layout, entry)
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
        enter(network, hospital, network.layout.genesis)


def _entry(layout: Layout, organisation: Organisation) -> Entry:
    """What the files of `organisation` say of it."""
    folder = layout.folder(organisation)
    entry = Entry(
        name=organisation.name,
        msp=organisation.msp,
        kind=organisation.kind,
        host=organisation.host,
        port=organisation.port,
        ca=_pem(folder / PEMS["ca"]),
        tls_ca=_pem(folder / PEMS["tls_ca"]),
    )
    if organisation.kind == "institute":
        return entry
    return structs.replace(
        entry, orderer=_pem(folder / PEMS["orderer"]), orderer_tls=_pem(folder / PEMS["orderer_tls"])
    )


def _pem(file: Path) -> str:
    return files.certificate(file).public_bytes(Encoding.PEM).decode()


def _write(layout: Layout, entry: Entry) -> None:
    """Put down where a network's commands look for it what a member has told."""
    folder = layout.organisations / entry.name
    files.write(folder / "ca" / "mspid", entry.msp.encode())
    for place, pem in entry.pems.items():
        files.write(folder / place, pem.encode())


def _without_a_network(layout: Layout) -> None:
    if layout.plan.exists() or layout.draft.exists():
        raise NetworkError(
            "network.other-plan", f"{layout.directory} holds a network: covenant network up starts it, or choose --dir"
        )


def _read(file: Path, kind: type[T]) -> T:
    try:
        return canonical.decode_as(file.read_bytes(), kind)
    except OSError as error:
        raise NetworkError(
            "network.malformed", f"{file} cannot be read ({error.strerror}): name another file"
        ) from None
    except CanonicalRefused as error:
        raise NetworkError(
            "network.malformed", f"{file} is not what covenant made ({error.message}): have it sent again"
        ) from None


def _foreign(file: Path) -> NetworkError:
    return NetworkError(
        "network.foreign-certificate",
        f"{file} holds a certificate that its own authority did not issue: have it sent again",
    )
