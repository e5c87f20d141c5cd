"""ECDSA P-256 over SHA-256 as Fabric wants it: DER, the lower of the two equivalent values of s.

Fabric refuses the higher s because anybody can turn one into the other without the key, and so change signed bytes that
still verify.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

from ledger.errors import LedgerError

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256; FIPS 186-5, SEC 2 section 2.4.2
HALF = ORDER // 2
_SHA256 = ec.ECDSA(hashes.SHA256())
_DIGEST = ec.ECDSA(Prehashed(hashes.SHA256()))


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """The DER signature of `message`, with low s."""
    return to_low_s(key.sign(message, _SHA256))


def sign_digest(key: ec.EllipticCurvePrivateKey, digest: bytes) -> bytes:
    """The same over the SHA-256 `digest` (32 bytes) of a message: for keys that live elsewhere (offline signing)."""
    return to_low_s(key.sign(digest, _DIGEST))


def verify(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
    """Return quietly, or raise LedgerError `signature.malformed`, `signature.high-s` or `signature.invalid`."""
    try:
        _, s = decode_dss_signature(signature)
    except ValueError as error:
        raise LedgerError("signature.malformed", "a signature is an ASN.1 pair of two numbers") from error
    if s > HALF:
        raise LedgerError("signature.high-s", "Fabric accepts only the lower of the two equivalent signatures")
    try:
        key.verify(signature, message, _SHA256)
    except InvalidSignature as error:
        raise LedgerError("signature.invalid", "the signature was not made by this key over these bytes") from error


def to_low_s(signature: bytes) -> bytes:
    """`signature` (DER) with s replaced by ORDER - s where that is lower."""
    r, s = decode_dss_signature(signature)
    return signature if s <= HALF else encode_dss_signature(r, ORDER - s)
