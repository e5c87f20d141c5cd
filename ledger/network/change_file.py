"""NAME.change.json: what shall become of a member, and who has signed that, as it goes from hand to hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from fabric_protos.common import configtx_pb2

from consent import canonical
from consent.canonical import Document
from consent.errors import CanonicalRefused
from ledger.network.entries import Entry, read
from ledger.network.errors import NetworkError
from ledger.network.network import ordering
from ledger.network.plan import STRIDE, Member, Plan, check_member


class Signature(Document, frozen=True):
    """An administrator's, over `header` and the update; both in hexadecimal digits, as in Fabric's ConfigSignature."""

    header: str
    signature: str

    def to_fabric(self) -> Any:
        return configtx_pb2.ConfigSignature(
            signature_header=bytes.fromhex(self.header), signature=bytes.fromhex(self.signature)
        )


class Change(Document, frozen=True):
    """NAME.change.json: what shall become of the member `name`.

    `sequence`: the number of the configuration that is changed. `plan`, `entries`: the network afterwards, as nobody's
    directory in particular, and what its members have told.
    """

    kind: Literal["join", "leave", "renew"]
    name: str
    sequence: int
    plan: Plan
    entries: tuple[Entry, ...]
    signatures: tuple[Signature, ...] = ()

    @property
    def entry(self) -> Entry | None:
        """What the member tells, unless it leaves."""
        return next((each for each in self.entries if each.name == self.name), None)

    @property
    def words(self) -> list[str]:
        """What it changes, for who shall sign it."""
        count = len(self.plan.hospitals)
        said = [f"{self.name} leaves the channel {self.plan.channel}."]
        if (told := self.entry) and self.kind == "join":
            said = [
                f"{told.name} ({told.msp}) joins the channel {self.plan.channel}, at {told.host}, ports {told.port} to "
                f"{told.port + STRIDE - 1}. SHA-256 of its certificates, to be compared by telephone:",
                f"  authority    {_fingerprint(told.ca)}",
                f"  connections' {_fingerprint(told.tls_ca)}",
            ]
        elif told:
            said = [
                f"{told.name} ({told.msp}) renews its orderer's certificates. Their SHA-256:",
                f"  orderer      {_fingerprint(told.orderer)}",
                f"  connections' {_fingerprint(told.orderer_tls)}",
            ]
            if told.revoked:
                said.append(f"  revoked      {len(x509.load_pem_x509_crl(told.revoked.encode()))} certificates")
        return [*said, f"Then {count // 2 + 1} of {count} hospitals decide; {ordering(self.plan)}."]


def holds_change(file: Path) -> bool:
    """Whether `file` is a change, rather than a consortium's."""
    try:
        return "signatures" in canonical.decode(file.read_bytes())
    except (OSError, CanonicalRefused, TypeError):
        return False


def read_change(file: Path) -> Change:
    """The change in `file`, whose parts are about the same members.

    Raises NetworkError `network.altered`, `network.malformed`, and as Entry.check does.
    """
    change = read(file, Change)
    for each in change.entries:
        each.check(file)
    for gone in change.plan.left:
        check_member(Member(gone.name, gone.msp))
    planned = [(each.name, each.msp, each.kind, each.host, each.port) for each in change.plan.organisations]
    if planned != [(each.name, each.msp, each.kind, each.host, each.port) for each in change.entries]:
        raise altered(file)
    return change


def altered(file: Path) -> NetworkError:
    return NetworkError(
        "network.altered",
        f"{file} is not as it was signed, or not as this directory makes the same change: have it begun anew",
    )


def _fingerprint(pem: str) -> str:
    return x509.load_pem_x509_certificate(pem.encode()).fingerprint(SHA256()).hex()
