"""Authorities and identities survive the disk; keys are for their owner alone."""

from __future__ import annotations

import stat
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ledger.errors import LedgerError
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity
from ledger.identity.validation import Validator
from ledger.protocol import signing


def test_an_authority_comes_back_from_disk_and_issues_on(tmp_path):
    Authority.create("AliceMSP", "ca.alice").save(tmp_path)
    again = Authority.load(tmp_path)
    again.revoke(again.issue("lost")).save(tmp_path)
    loaded = Authority.load(tmp_path)
    assert len(loaded.msp.revocation_lists) == 1
    assert Validator({"AliceMSP": loaded.msp}).member(loaded.issue("clerk").serialized, time.time())


def test_an_identity_comes_back_from_disk_and_signs(tmp_path):
    issued = Authority.create("AliceMSP", "ca.alice").issue("clerk", ["steward"])
    issued.save(tmp_path)
    loaded = Identity.load(tmp_path)
    assert loaded.serialized == issued.serialized
    signing.verify(issued.key.public_key(), loaded.sign(b"message"), b"message")
    assert (tmp_path / "mspid").read_text() == "AliceMSP"


def test_private_keys_are_0600(tmp_path):
    authority = Authority.create("AliceMSP", "ca.alice")
    authority.save(tmp_path / "ca")
    authority.issue("clerk").save(tmp_path / "clerk")
    for path in (tmp_path / "ca" / "ca.key", tmp_path / "clerk" / "keystore" / "key.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_certificates_carry_low_signatures():
    authority = Authority.create("AliceMSP", "ca.alice")
    for certificate in (authority.certificate, *(authority.issue(f"clerk{n}").certificate for n in range(8))):
        assert decode_dss_signature(certificate.signature)[1] <= signing.HALF


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(LedgerError, match=r"identity\.missing: .*cert\.pem"):
        Identity.load(tmp_path / "nowhere")


def test_a_file_that_is_no_key_is_named(tmp_path):
    Authority.create("AliceMSP", "ca.alice").issue("clerk").save(tmp_path)
    (tmp_path / "keystore" / "key.pem").write_text("not a key")
    with pytest.raises(LedgerError, match=r"identity\.malformed: .*key\.pem"):
        Identity.load(tmp_path)
