"""What members with a directory each tell each other of themselves, and the channel's configuration that follows.

An Entry holds certificates and an address, nothing secret. It is written down where a network's commands look for these
of any member, so that the same code makes the same configuration of it everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import structs

from consent import canonical
from consent.canonical import Document
from consent.errors import CanonicalRefused
from ledger.identity import files
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.network import channel_group
from ledger.network.plan import HOST, STRIDE, Member, Organisation, Plan, check_member, check_port

T = TypeVar("T")
PEMS = {  # an Entry's certificates, below its member's folder
    "ca": "ca/ca.pem",
    "tls_ca": "tlsca/ca.pem",
    "orderer": "orderer/msp/signcerts/cert.pem",
    "orderer_tls": "orderer/tls/server.pem",
}
REVOKED = "ca/revoked.crl"


class Entry(Document, frozen=True):
    """What a member tells the others: NAME.member.json.

    `host`, `port`: as in Organisation. `ca`, `tls_ca`: its authorities' certificates, PEM; `orderer`, `orderer_tls`:
    those of a hospital's orderer, which an institute has not. `revoked`: its authority's revocation list, PEM, if any.
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
    revoked: str = ""

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
        if self.revoked and not _revokes(self.ca, self.revoked):
            raise _foreign(of)


def entry(layout: Layout, organisation: Organisation) -> Entry:
    """What the files of `organisation` say of it."""
    folder = layout.folder(organisation)
    revoked = folder / REVOKED
    said = Entry(
        name=organisation.name,
        msp=organisation.msp,
        kind=organisation.kind,
        host=organisation.host,
        port=organisation.port,
        ca=_pem(folder / PEMS["ca"]),
        tls_ca=_pem(folder / PEMS["tls_ca"]),
        revoked=files.revocation_list(revoked).public_bytes(Encoding.PEM).decode() if revoked.exists() else "",
    )
    return with_orderer(said, folder) if organisation.kind == "hospital" else said


def with_orderer(said: Entry, folder: Path) -> Entry:
    """`said`, with the certificates of the orderer that lie below `folder`."""
    return structs.replace(said, orderer=_pem(folder / PEMS["orderer"]), orderer_tls=_pem(folder / PEMS["orderer_tls"]))


def entries(layout: Layout, plan: Plan) -> tuple[Entry, ...]:
    """What each member has told the others, in the plan's order: a member whose directory this is by its own file,
    because its keys may have been renewed since, and the channel knows it as it told.
    """
    return tuple(
        read(layout.member(each.name), Entry) if each.name == plan.here else entry(layout, each)
        for each in plan.organisations
    )


def write(layout: Layout, said: Entry) -> None:
    """Put down where a network's commands look for it what a member has told."""
    folder = layout.organisations / said.name
    files.write(folder / "ca" / "mspid", said.msp.encode())
    for field, place in PEMS.items():
        if pem := getattr(said, field):
            files.write(folder / place, pem.encode())
    if said.revoked:
        files.write(folder / REVOKED, said.revoked.encode())


def group(told: Iterable[Entry], plan: Plan) -> Any:
    """The channel's configuration as the plan and what its members have told say it should be."""
    with TemporaryDirectory() as folder:
        layout = Layout(Path(folder))
        for each in told:
            write(layout, each)
        return channel_group(layout, plan)


def check_apart(told: Iterable[Entry]) -> None:
    """Raises NetworkError `network.port` where two members stand in each other's way."""
    for one, other in combinations(told, 2):
        if one.host == other.host and abs(one.port - other.port) < STRIDE:
            raise NetworkError(
                "network.port",
                f"{one.name} and {other.name} are both at {one.host}, with ports less than {STRIDE} apart: prepare "
                "one of them with another --port",
            )


def read(file: Path, kind: type[T]) -> T:
    """What `file`, written by a command of ours, holds. Raises NetworkError `network.malformed`."""
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


def _pem(file: Path) -> str:
    return files.certificate(file).public_bytes(Encoding.PEM).decode()


def _revokes(ca: str, revoked: str) -> bool:
    """Whether `revoked` is a revocation list of this authority."""
    authority = x509.load_pem_x509_certificate(ca.encode())
    key = authority.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)  # as what it issued was verified with
    try:
        listed = x509.load_pem_x509_crl(revoked.encode())
    except ValueError:
        return False
    return listed.issuer == authority.subject and listed.is_signature_valid(key)


def _foreign(file: Path) -> NetworkError:
    return NetworkError(
        "network.foreign-certificate",
        f"{file} holds a certificate that its own authority did not issue: have it sent again",
    )
