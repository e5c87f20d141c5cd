"""Only the lower of two equivalent signatures counts, and only over exactly these bytes."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerError
from ledger.protocol import signing

KEY = ec.generate_private_key(ec.SECP256R1())


@given(st.binary(max_size=100))
def test_a_signature_verifies_and_its_twin_does_not(message):
    for signature in (signing.sign(KEY, message), signing.sign_digest(KEY, sha256(message).digest())):
        signing.verify(KEY.public_key(), signature, message)
        r, s = decode_dss_signature(signature)
        with pytest.raises(LedgerError, match=r"signature\.high-s"):
            signing.verify(KEY.public_key(), encode_dss_signature(r, signing.ORDER - s), message)


@pytest.mark.parametrize("bad", [b"", b"signature", bytes(72)])
def test_what_is_no_signature_is_named(bad):
    with pytest.raises(LedgerError, match=r"signature\.malformed"):
        signing.verify(KEY.public_key(), bad, b"message")


def test_another_key_or_message_is_refused():
    signature = signing.sign(KEY, b"message")
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    for key, message in ((other, b"message"), (KEY.public_key(), b"massage")):
        with pytest.raises(LedgerError, match=r"signature\.invalid"):
            signing.verify(key, signature, message)
