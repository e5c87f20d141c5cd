"""An identity: an organisation's name, a certificate and its key, as it lies in an MSP folder.

DIR/mspid   DIR/signcerts/cert.pem   DIR/keystore/key.pem (0600)   DIR/cacerts/ca.pem
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.identity import files
from ledger.protocol import identity, signing


@dataclass(frozen=True)
class Identity:
    """Who signs. `pem`: the certificate; `ca`: the organisation's root, PEM. Immutable; may be shared by threads."""

    msp_id: str
    pem: bytes
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    ca: bytes = field(repr=False)

    @classmethod
    def load(cls, directory: Path) -> Identity:
        """Read an MSP folder. Raises LedgerError `identity.missing`, `identity.malformed`."""
        certificate = files.certificate(directory / "signcerts" / "cert.pem")
        return cls(
            files.text(directory / "mspid"),
            certificate.public_bytes(Encoding.PEM),
            files.key(directory / "keystore" / "key.pem"),
            files.read(directory / "cacerts" / "ca.pem"),
        )

    def save(self, directory: Path) -> None:
        """Write the MSP folder; the key's file has mode 0600."""
        files.write(directory / "mspid", self.msp_id.encode())
        files.write(directory / "signcerts" / "cert.pem", self.pem)
        files.write_key(directory / "keystore" / "key.pem", self.key)
        files.write(directory / "cacerts" / "ca.pem", self.ca)

    @cached_property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.pem)

    @cached_property
    def serialized(self) -> bytes:
        """The SerializedIdentity that stands as creator or endorser."""
        return identity.pack(self.msp_id, self.pem)

    def sign(self, message: bytes) -> bytes:
        """The DER signature (low s) over the SHA-256 of `message`."""
        return signing.sign(self.key, message)

    def sign_digest(self, digest: bytes) -> bytes:
        """The same over a SHA-256 that the caller made (32 bytes)."""
        return signing.sign_digest(self.key, digest)
