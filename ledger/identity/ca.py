"""An organisation's certificate authority: one P-256 root that issues identities with roles.

Roles travel as the attribute `covenant.role` (comma separated) in Fabric's own certificate extension,
1.2.3.4.5.6.7.8.1, as Fabric CA writes it; the kind of identity (peer, client, admin, orderer) is the organisational
unit, Fabric's NodeOU.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ledger.errors import LedgerError
from ledger.identity import files
from ledger.identity.msp import Identity
from ledger.protocol.configuration import MspConfig
from ledger.protocol.signing import HALF

ATTRIBUTES = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")
ROLE = "covenant.role"
OUS = ("peer", "client", "admin", "orderer")
CA_DAYS, IDENTITY_DAYS = 3650, 365
CLOCK_MARGIN = timedelta(hours=1)  # certificates begin an hour early, for clocks that lag


@dataclass(frozen=True)
class Authority:
    """A root key with its certificate, and the list of what it has revoked (a CRL), if anything."""

    msp_id: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    revocations: x509.CertificateRevocationList | None = None

    @classmethod
    def create(cls, msp_id: str, name: str, *, now: datetime | None = None) -> Authority:
        """A new root for the organisation `msp_id`, called `name` in its certificate, valid ten years from `now`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name, msp_id)
        begin = (now or datetime.now(UTC)) - CLOCK_MARGIN
        builder = (
            _builder(subject, subject, key.public_key(), begin, begin + timedelta(days=CA_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signing=True, ca=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(msp_id, _sign(builder, key), key)

    @classmethod
    def load(cls, directory: Path) -> Authority:
        """Read what `save` wrote. Raises LedgerError `identity.missing`, `identity.malformed`."""
        certificate = files.certificate(directory / "ca.pem")
        revocations = directory / "revoked.crl"
        crl = files.revocation_list(revocations) if revocations.exists() else None
        return cls(files.text(directory / "mspid"), certificate, files.key(directory / "ca.key"), crl)

    def save(self, directory: Path) -> None:
        """Write `mspid`, `ca.pem`, `ca.key` (mode 0600), and `revoked.crl` if there is one."""
        files.write(directory / "mspid", self.msp_id.encode())
        files.write(directory / "ca.pem", self.pem)
        files.write_key(directory / "ca.key", self.key)
        if self.revocations is not None:
            files.write(directory / "revoked.crl", self.revocations.public_bytes(Encoding.PEM))

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def msp(self) -> MspConfig:
        """What the genesis block says of this organisation."""
        lists = () if self.revocations is None else (self.revocations.public_bytes(Encoding.PEM),)
        return MspConfig(self.msp_id, (self.pem,), lists)

    def issue(
        self,
        common_name: str,
        roles: Sequence[str] = (),
        ou: str = "client",
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Identity:
        """A new key with a certificate: `ou` one of peer, client, admin, orderer; valid a year unless dates are given.

        Raises LedgerError `identity.ou` for another unit, `identity.role` for a role that is not a plain word.
        """
        if ou not in OUS:
            raise LedgerError("identity.ou", f"an identity is one of {', '.join(OUS)}, not {ou}")
        if any(not role.replace("-", "").isalnum() or not role.isascii() for role in roles):
            raise LedgerError("identity.role", "a role is a word of letters, digits and hyphens")
        key = ec.generate_private_key(ec.SECP256R1())
        begin = max(not_before or datetime.now(UTC) - CLOCK_MARGIN, self.certificate.not_valid_before_utc)
        end = min(not_after or begin + timedelta(days=IDENTITY_DAYS), self.certificate.not_valid_after_utc)
        builder = (
            _builder(_name(common_name, self.msp_id, ou), self.certificate.subject, key.public_key(), begin, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signing=True, ca=False), critical=True)
            .add_extension(self._authority_key(), critical=False)
        )
        if roles:
            builder = builder.add_extension(x509.UnrecognizedExtension(ATTRIBUTES, _attributes(roles)), critical=False)
        return Identity(self.msp_id, _sign(builder, self.key).public_bytes(Encoding.PEM), key, self.pem)

    def revoke(self, *identities: Identity, now: datetime | None = None) -> Authority:
        """This authority with a list that also revokes `identities`; it counts in channels founded with it."""
        at = now or datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(at).next_update(at + timedelta(days=CA_DAYS))
        for known in self.revocations or ():
            builder = builder.add_revoked_certificate(known)
        for identity in identities:
            serial = identity.certificate.serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
            builder = builder.add_revoked_certificate(entry)
        return replace(self, revocations=builder.sign(self.key, hashes.SHA256()))

    def _authority_key(self) -> x509.AuthorityKeyIdentifier:
        identifier = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _name(common_name: str, msp_id: str, ou: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, msp_id)]
    parts += [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, ou)] if ou else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)


def _usage(*, signing: bool, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signing,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _attributes(roles: Sequence[str]) -> bytes:
    return json.dumps({"attrs": {ROLE: ",".join(roles)}}, separators=(",", ":")).encode()


def _sign(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Sign until s is low (twice on average): Fabric rewrites other certificates, and their bytes would differ."""
    while True:
        certificate = builder.sign(key, hashes.SHA256())
        if decode_dss_signature(certificate.signature)[1] <= HALF:
            return certificate
