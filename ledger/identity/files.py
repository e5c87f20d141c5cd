"""Keys and certificates on disk: private keys are readable by their owner alone, from their first byte on."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ledger import disk
from ledger.errors import LedgerError


def read(path: Path) -> bytes:
    """The file's bytes. Raises LedgerError `identity.missing`."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = f"{path} cannot be read ({error.strerror}); issue this identity again"
        raise LedgerError("identity.missing", reason) from error


def text(path: Path) -> str:
    return read(path).decode("ascii", "replace").strip()


def certificate(path: Path) -> x509.Certificate:
    """Raises LedgerError `identity.missing`, `identity.malformed`."""
    try:
        return x509.load_pem_x509_certificate(read(path))
    except ValueError as error:
        raise LedgerError("identity.malformed", f"{path} is not a PEM certificate") from error


def revocation_list(path: Path) -> x509.CertificateRevocationList:
    """Raises LedgerError `identity.missing`, `identity.malformed`."""
    try:
        return x509.load_pem_x509_crl(read(path))
    except ValueError as error:
        raise LedgerError("identity.malformed", f"{path} is not a PEM revocation list") from error


def key(path: Path) -> ec.EllipticCurvePrivateKey:
    """A P-256 private key. Raises LedgerError `identity.missing`, `identity.malformed`."""
    try:
        found = serialization.load_pem_private_key(read(path), None)
    except (TypeError, ValueError) as error:
        raise LedgerError("identity.malformed", f"{path} is not an unencrypted PEM private key") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise LedgerError("identity.malformed", f"{path} is not a P-256 key")
    return found


def write(path: Path, data: bytes) -> None:
    """Write `data` for everybody to read, making folders as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_key(path: Path, private: ec.EllipticCurvePrivateKey) -> None:
    """Write a private key as PKCS #8 PEM with mode 0600, in a folder with mode 0700."""
    data = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(path, data)


def write_secret(path: Path, data: bytes) -> None:
    """Write `data` with mode 0600, whole or not at all, in a folder that, if it is new, has mode 0700."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with disk.replacing(path) as file:
        file.write(data)
