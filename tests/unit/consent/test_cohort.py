"""Cohort keys, buckets and padding."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.cohort import BUCKETS, bucket_of, bucket_top, cohort_key, pad_keys, padding_key
from consent.errors import ConsentError
from tests.unit.consent.examples import STUDY, Patient

SEED = sha256(b"seed").digest()
SECRET = Patient().secret


def keys(count: int) -> list[bytes]:
    return [sha256(f"key {number}".encode()).digest() for number in range(count)]


def test_a_key_differs_by_patient_study_and_round() -> None:
    other = "6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c12"
    made = {
        cohort_key(SECRET, STUDY, 1),
        cohort_key(SECRET, STUDY, 2),
        cohort_key(SECRET, other, 1),
        cohort_key(Patient(2).secret, STUDY, 1),
    }
    assert len(made) == 4
    assert cohort_key(SECRET, UUID(STUDY), 1) == cohort_key(SECRET, STUDY, 1)


@pytest.mark.parametrize(
    ("secret", "study", "round_"),
    [(b"short", STUDY, 1), (SECRET, "no uuid", 1), (SECRET, STUDY, -1), (SECRET, STUDY, 2**32)],
    ids=repr,
)
def test_a_key_from_wrong_parts_is_refused(secret: bytes, study: str, round_: int) -> None:
    with pytest.raises(ConsentError) as refusal:
        cohort_key(secret, study, round_)
    assert refusal.value.code == "cohort.key-malformed"


def test_the_buckets_are_the_published_ones() -> None:
    assert BUCKETS[:8] == ("20-49", "50-99", "100-199", "200-499", "500-999", "1000-1999", "2000-4999", "5000-9999")


@given(st.integers(20, 999_999))
def test_a_size_lies_in_its_bucket(size: int) -> None:
    bucket = bucket_of(size)
    floor, top = map(int, bucket.split("-"))
    assert floor <= size <= top == bucket_top(bucket)


@pytest.mark.parametrize(
    ("size", "code"),
    [(-1, "cohort.too-small"), (0, "cohort.too-small"), (19, "cohort.too-small"), (1_000_000, "cohort.too-large")],
)
def test_a_size_outside_all_buckets_is_refused(size: int, code: str) -> None:
    with pytest.raises(ConsentError) as refusal:
        bucket_of(size)
    assert refusal.value.code == code


def test_padding_fills_the_bucket_and_keeps_every_patient() -> None:
    members = keys(23)
    padded = pad_keys(members, SEED, "20-49")
    assert len(padded) == len(set(padded)) == 49
    assert padded == sorted(padded)
    assert set(padded) - set(members) == {padding_key(SEED, number) for number in range(26)}


def test_padding_shows_nothing_of_the_size_within_a_bucket() -> None:
    assert len(pad_keys(keys(20), SEED, "20-49")) == len(pad_keys(keys(49), SEED, "20-49"))


@pytest.mark.parametrize(("count", "bucket"), [(50, "20-49"), (49, "50-99"), (20, "50-99")])
def test_a_cohort_is_padded_in_its_own_bucket_only(count: int, bucket: str) -> None:
    with pytest.raises(ConsentError) as refusal:
        pad_keys(keys(count), SEED, bucket)
    assert refusal.value.code == "cohort.bucket-mismatch"


def test_too_few_patients_cannot_be_padded_to_a_cohort() -> None:
    with pytest.raises(ConsentError) as refusal:
        pad_keys([*keys(19), *keys(19)], SEED, "20-49")
    assert refusal.value.code == "cohort.too-small"


def test_an_unknown_bucket_or_a_short_seed_is_refused() -> None:
    with pytest.raises(ConsentError, match=r"cohort\.bucket-unknown"):
        pad_keys(keys(20), SEED, "1-49")
    with pytest.raises(ConsentError, match=r"cohort\.seed-malformed"):
        pad_keys(keys(20), b"short", "20-49")
