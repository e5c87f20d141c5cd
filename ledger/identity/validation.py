"""Judging a certificate that somebody shows: whose it is, for what, and whether it held at a given time.

Everything is decided from the genesis block's MSPs, so an auditor decides the same offline. The rules are Fabric's MSP
rules for one root without intermediates, and one more: a certificate must be valid at the transaction's own time.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ledger.contracts.stub import Creator
from ledger.errors import LedgerError
from ledger.identity.ca import ATTRIBUTES, OUS, ROLE
from ledger.protocol import identity, signing
from ledger.protocol.configuration import MspConfig
from ledger.protocol.policy import Signer

CACHED = 4096  # identities; each is a few kilobytes


@dataclass(frozen=True, slots=True)
class Member:
    """A certificate whose chain is good. `begins`, `ends`: epoch seconds, both included; `fingerprint`: of its key."""

    creator: Creator
    ou: str
    key: ec.EllipticCurvePublicKey
    begins: float
    ends: float
    fingerprint: bytes

    @property
    def signer(self) -> Signer:
        return Signer(self.creator.organisation, self.ou, self.fingerprint)


@dataclass(frozen=True, slots=True)
class _Root:
    certificate: x509.Certificate
    revoked: frozenset[int]


class Validator:
    """Judges identities by the MSPs of one channel (ChannelConfig.organisations)."""

    def __init__(self, organisations: Mapping[str, MspConfig]) -> None:
        self._roots = {name: _roots(msp) for name, msp in organisations.items()}
        self._known: OrderedDict[bytes, Member] = OrderedDict()

    def member(self, serialized: bytes, when: float | None) -> Member:
        """Whose `serialized` (SerializedIdentity bytes) is; its certificate must be valid at `when`, epoch seconds;
        None where nobody can tell the time.

        Raises LedgerError `identity.malformed`, `identity.unknown-organisation`, `identity.foreign-ca`,
        `identity.revoked`, `identity.ou`, `identity.role`, `identity.expired`, `identity.not-yet-valid`.
        """
        found = self._known.get(serialized)
        if found is None:
            found = self._judge(serialized)
            self._known[serialized] = found
            if len(self._known) > CACHED:
                self._known.popitem(last=False)
        who = found.creator
        if when is not None and when > found.ends:
            raise LedgerError("identity.expired", f"the certificate of {who.common_name} has expired; get a new one")
        if when is not None and when < found.begins:
            raise LedgerError("identity.not-yet-valid", f"the certificate of {who.common_name} is not valid yet")
        return found

    def verify(self, serialized: bytes, signature: bytes, message: bytes, when: float | None) -> Member:
        """Who made `signature` over `message`. Raises as `member`, and LedgerError `signature.*`."""
        found = self.member(serialized, when)
        signing.verify(found.key, signature, message)
        return found

    def _judge(self, serialized: bytes) -> Member:
        msp_id, pem = identity.unpack(serialized)
        if msp_id not in self._roots:
            raise LedgerError("identity.unknown-organisation", f"{msp_id} is no organisation of this channel")
        certificate = _load(pem)
        root = next((each for each in self._roots[msp_id] if _issued_by(certificate, each.certificate)), None)
        if root is None:
            raise LedgerError("identity.foreign-ca", f"this certificate was not issued by the authority of {msp_id}")
        if certificate.serial_number in root.revoked:
            raise LedgerError("identity.revoked", "this certificate has been revoked by its authority")
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise LedgerError("identity.malformed", "an identity's key is on P-256")
        _end_entity(certificate)
        return Member(
            _creator(msp_id, certificate),
            _node_ou(certificate),
            key,
            max(certificate.not_valid_before_utc, root.certificate.not_valid_before_utc).timestamp(),
            min(certificate.not_valid_after_utc, root.certificate.not_valid_after_utc).timestamp(),
            sha256(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).digest(),
        )


@lru_cache(CACHED)
def creator_of(serialized: bytes) -> Creator:
    """Who `serialized` (SerializedIdentity bytes) says it is, for a host whose peer has judged the certificate already.

    Raises LedgerError `bytes.*`, `identity.malformed`, `identity.role`.
    """
    msp_id, pem = identity.unpack(serialized)
    return _creator(msp_id, _load(pem))


def _creator(msp_id: str, certificate: x509.Certificate) -> Creator:
    return Creator(msp_id, _roles(certificate), _one(certificate, NameOID.COMMON_NAME))


def _roots(msp: MspConfig) -> tuple[_Root, ...]:
    try:
        roots = [x509.load_pem_x509_certificate(pem) for pem in msp.root_certs]
        lists = [x509.load_pem_x509_crl(pem) for pem in msp.revocation_lists]
    except ValueError as error:
        raise LedgerError("identity.malformed", f"the MSP of {msp.msp_id} holds something that is no PEM") from error
    return tuple(_Root(root, _revoked(root, lists)) for root in roots)


def _revoked(root: x509.Certificate, lists: list[x509.CertificateRevocationList]) -> frozenset[int]:
    """Serial numbers on the lists that `root` signed. A list signed by another is an error: it would revoke nothing."""
    key = root.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    good = [each for each in lists if each.issuer == root.subject and each.is_signature_valid(key)]
    if len(good) != len(lists):
        raise LedgerError("identity.malformed", "a revocation list was not signed by its authority")
    return frozenset(entry.serial_number for each in good for entry in each)


def _load(pem: bytes) -> x509.Certificate:
    """One certificate, in the one PEM form: other spellings would be further identities of the same person."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise LedgerError("identity.malformed", "an identity holds one X.509 certificate in PEM") from error
    if certificate.public_bytes(Encoding.PEM) != pem or not len(extensions):
        raise LedgerError("identity.malformed", "the certificate's PEM is written in an unusual way")
    return certificate


def _issued_by(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(root)
        return True
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False


def _end_entity(certificate: x509.Certificate) -> None:
    try:
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound as error:
        raise LedgerError("identity.malformed", "the certificate does not say what its key is for") from error
    if authority or not usage:
        raise LedgerError("identity.malformed", "this certificate's key may not sign transactions")


def _node_ou(certificate: x509.Certificate) -> str:
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    kinds = [str(unit.value) for unit in units if unit.value in OUS]
    if len(kinds) != 1:
        raise LedgerError("identity.ou", f"a certificate names exactly one unit of {', '.join(OUS)}")
    return kinds[0]


def _one(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    found = certificate.subject.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def _roles(certificate: x509.Certificate) -> frozenset[str]:
    """The `covenant.role` attribute, split at commas; no attribute, no role."""
    try:
        extension = certificate.extensions.get_extension_for_oid(ATTRIBUTES).value
    except x509.ExtensionNotFound:
        return frozenset()
    assert isinstance(extension, x509.UnrecognizedExtension)
    try:
        roles = json.loads(extension.value)["attrs"].get(ROLE, "")
        return frozenset(part for part in roles.split(",") if part)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise LedgerError("identity.role", "the certificate's attributes cannot be read") from error
