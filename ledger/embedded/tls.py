"""The server's TLS key and certificate: for loopback names alone, with an authority of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ledger.identity import files
from ledger.identity.ca import CA_DAYS, CLOCK_MARGIN, Authority

NAMES = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]


def create(directory: Path) -> None:
    """Write ca.pem, server.pem and server.key (0600). The authority's own key is not kept."""
    authority = Authority.create("tls", "ca.ledger.localhost")
    key = ec.generate_private_key(ec.SECP256R1())
    begin = datetime.now(UTC) - CLOCK_MARGIN
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ledger.localhost")]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=CA_DAYS))
        .add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority.key, hashes.SHA256())
    )
    files.write(directory / "ca.pem", authority.pem)
    files.write(directory / "server.pem", certificate.public_bytes(Encoding.PEM))
    files.write_key(directory / "server.key", key)
