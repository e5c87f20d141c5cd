"""A cohort's keys and size: what a site commits to before it trains.

A key is known to the patient and the site alone and differs in every round. Padding brings a cohort to the top of its
bucket, so that a proof's length tells no more than the bucket does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from uuid import UUID

from consent import canonical
from consent.errors import ConsentError

SMALLEST = 20
_FLOORS = (20, 50, *(step * scale for scale in (100, 1_000, 10_000, 100_000) for step in (1, 2, 5)), 1_000_000)
BUCKETS = tuple(f"{floor}-{above - 1}" for floor, above in zip(_FLOORS, _FLOORS[1:], strict=False))


def cohort_key(secret: bytes, study: UUID | str, round_: int) -> bytes:
    """The key (32 bytes) under which the patient with `secret` (32 bytes) stands in the round's cohorts.

    `round_`: 0 to 2**32 - 1. Raises ConsentError `cohort.key-malformed`.
    """
    if len(secret) != 32 or not 0 <= round_ < 2**32:
        raise ConsentError("cohort.key-malformed", "a cohort key needs a secret of 32 bytes and a round number")
    return canonical.digest("covenant.cohort-key.v1", secret, _study_bytes(study), round_.to_bytes(4))


def bucket_of(size: int) -> str:
    """The bucket of a cohort of `size` patients, like "50-99".

    Raises ConsentError `cohort.too-small` below 20, `cohort.too-large` from a million on.
    """
    if size < SMALLEST:
        raise ConsentError("cohort.too-small", f"a cohort has at least {SMALLEST} patients: decline this round")
    if size >= _FLOORS[-1]:
        raise ConsentError("cohort.too-large", f"a cohort has fewer than {_FLOORS[-1]} patients: split the data set")
    return BUCKETS[bisect_right(_FLOORS, size) - 1]


def bucket_top(bucket: str) -> int:
    """The largest size in `bucket`; raises ConsentError `cohort.bucket-unknown`."""
    if bucket not in BUCKETS:
        raise ConsentError("cohort.bucket-unknown", f"{bucket!r} is no bucket: use one of {', '.join(BUCKETS)}")
    return int(bucket.split("-")[1])


def padding_key(seed: bytes, number: int) -> bytes:
    """Padding key `number` (from 0) under the secret `seed` (32 bytes), one seed a study, round, attempt and kind."""
    if len(seed) != 32:
        raise ConsentError("cohort.seed-malformed", "a padding seed has 32 bytes")
    return canonical.digest("covenant.cohort-padding.v1", seed, number.to_bytes(4))


def pad_keys(keys: Iterable[bytes], seed: bytes, bucket: str) -> list[bytes]:
    """The distinct `keys` and enough padding to reach the top of `bucket`, in order of the keys.

    Raises ConsentError `cohort.bucket-mismatch` where the keys do not belong in `bucket`, `cohort.bucket-unknown`.
    """
    members = set(keys)
    top = bucket_top(bucket)
    if bucket_of(len(members)) != bucket:
        raise ConsentError("cohort.bucket-mismatch", "this cohort belongs in another bucket: use bucket_of")
    padding = {padding_key(seed, number) for number in range(top - len(members))}
    return sorted(members | padding)


def _study_bytes(study: UUID | str) -> bytes:
    try:
        return (study if isinstance(study, UUID) else UUID(study)).bytes
    except ValueError:
        raise ConsentError("cohort.key-malformed", "a study is named by its UUID") from None
