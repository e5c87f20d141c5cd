"""Certificates for connections (TLS), apart from those that sign transactions: own authority, own keys.

A certificate serves both ends of a connection (server and client authentication), as every process of a consortium
both listens and calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ledger.identity import files
from ledger.identity.ca import CLOCK_MARGIN, Authority


@dataclass(frozen=True)
class TlsIdentity:
    """A certificate (PEM) and its key. `names` of the certificate are the hosts it may answer for."""

    pem: bytes
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def save(self, directory: Path) -> None:
        """Write server.pem and server.key (0600)."""
        files.write(directory / "server.pem", self.pem)
        files.write_key(directory / "server.key", self.key)


def issue(authority: Authority, common_name: str, hosts: Sequence[str], days: int) -> TlsIdentity:
    """A new key with a certificate for `hosts` (names or IP addresses), valid `days` or as long as `authority`."""
    key = ec.generate_private_key(ec.SECP256R1())
    begin = max(datetime.now(UTC) - CLOCK_MARGIN, authority.certificate.not_valid_before_utc)
    end = min(begin + timedelta(days=days), authority.certificate.not_valid_after_utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority.key, hashes.SHA256())
    )
    return TlsIdentity(certificate.public_bytes(Encoding.PEM), key)


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
