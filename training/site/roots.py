"""The manifest of a data set: one Merkle root over salted digests of its records.

RFC 6962's tree (leaves and nodes hash apart, in the file's order). A record's digest is salted with 32 bytes derived
from a secret of the hospital, so that nobody can try out values; on the premises, secret and file open every leaf.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256

from consent.canonical import digest
from training.errors import DataRefused
from training.site.loader import Records


def dataset_root(records: Records, secret: bytes) -> str:
    """64 hex characters. `secret`: the hospital's 32 bytes for manifests. Raises DataRefused `data.salt-secret`."""
    return merkle_root(list(record_digests(records, secret))).hex()


def record_digests(records: Records, secret: bytes) -> Iterable[bytes]:
    """Each record's leaf: digest under `covenant.record.v1` of its salt, its patient's digest, its raw line."""
    if len(secret) != 32:
        raise DataRefused("data.salt-secret", "the secret that salts record digests must be 32 bytes")
    for patient, row in zip(records.patients, records.rows, strict=True):
        salt = record_salt(secret, patient)
        yield digest("covenant.record.v1", salt, sha256(patient.encode()).digest(), row)


def record_salt(secret: bytes, patient: str) -> bytes:
    """32 bytes that open one record's leaf and no other's: HMAC-SHA256 under `secret`."""
    return hmac.digest(secret, b"covenant.record-salt.v1\n" + patient.encode(), "sha256")


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1: the Merkle tree hash of `leaves` in their order.

    >>> merkle_root([]).hex()[:16]
    'e3b0c44298fc1c14'
    """
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    middle = 1 << (len(leaves) - 1).bit_length() - 1  # the largest power of two below their number
    return sha256(b"\x01" + merkle_root(leaves[:middle]) + merkle_root(leaves[middle:])).digest()
