"""The manifest root moves with every record and reveals none."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from training.errors import DataRefused
from training.site.roots import dataset_root, merkle_root, record_digests, record_salt

SECRET = bytes(range(32))


def test_rfc_6962_by_hand():
    a, b, c = (sha256(b"\x00" + leaf).digest() for leaf in (b"a", b"b", b"c"))
    ab = sha256(b"\x01" + a + b).digest()
    assert merkle_root([b"a"]) == a
    assert merkle_root([b"a", b"b"]) == ab
    assert merkle_root([b"a", b"b", b"c"]) == sha256(b"\x01" + ab + c).digest()


def test_certificate_transparencys_own_vectors():
    """google/certificate-transparency, merkletree tests: eight inputs, roots of the first n."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [bytes.fromhex(text) for text in inputs]
    assert merkle_root(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle_root(leaves[:3]).hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    assert merkle_root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_the_same_file_and_secret_give_the_same_root(hospitals):
    root = dataset_root(hospitals["hungary"], SECRET)
    assert root == dataset_root(hospitals["hungary"], SECRET) and len(root) == 64
    assert root != dataset_root(hospitals["hungary"], bytes(32))


def test_one_changed_record_changes_the_root(hospitals):
    records = hospitals["switzerland"]
    root = dataset_root(records, SECRET)
    rows = (records.rows[0] + b" ", *records.rows[1:])
    assert dataset_root(replace(records, rows=rows), SECRET) != root
    patients = ("x", *records.patients[1:])
    assert dataset_root(replace(records, patients=patients), SECRET) != root
    assert dataset_root(records.of(records.patients[1:]), SECRET) != root


def test_one_salt_opens_one_leaf(hospitals):
    records = hospitals["switzerland"]
    salts = {record_salt(SECRET, patient) for patient in records.patients}
    assert len(salts) == len(records) == len(set(record_digests(records, SECRET)))


def test_a_short_secret_is_refused(hospitals):
    with pytest.raises(DataRefused) as refusal:
        dataset_root(hospitals["switzerland"], b"short")
    assert refusal.value.code == "data.salt-secret"
