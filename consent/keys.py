"""P-256 keys and ECDSA signatures as Covenant writes them: 65-byte uncompressed points, DER signatures over SHA-256."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consent.errors import GrantRefused

KEY_BYTES = 65
UNCOMPRESSED = 4  # the first byte of an uncompressed point (SEC 1, section 2.3.3)
_CURVE, _ECDSA = ec.SECP256R1(), ec.ECDSA(hashes.SHA256())


def public_bytes(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> bytes:
    """The public half of `key` as a 65-byte uncompressed point."""
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def load(key: bytes) -> ec.EllipticCurvePublicKey:
    """The P-256 key at the 65-byte uncompressed point `key`; raises GrantRefused `grant.key-encoding` for all else.

    One encoding only: a second one would give the same grant a second commitment.
    """
    if len(key) != KEY_BYTES or key[0] != UNCOMPRESSED:
        raise GrantRefused("grant.key-encoding", "send the public key as an uncompressed point of 65 bytes")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, key)
    except ValueError:
        raise GrantRefused("grant.key-encoding", "this public key is no point of the curve P-256") from None


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """The DER signature of `message`; deterministic (RFC 6979), so that no randomness is needed here."""
    return key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def verifies(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """Whether `signature` (DER, high or low S) is `key`'s over `message`."""
    try:
        key.verify(signature, message, _ECDSA)
    except InvalidSignature:
        return False
    return True
