"""A patient's key in a file: made once, for its owner's eyes, and read with a sentence where it cannot be."""

from __future__ import annotations

import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from consent import keys
from portal import own_key
from portal.errors import PortalError


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path):
    file = tmp_path / "key.pem"
    made = own_key.create(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keys.public_bytes(own_key.read(file)) == keys.public_bytes(made)
    with pytest.raises(PortalError, match=r"own-key\.exists"):
        own_key.create(file)
    with pytest.raises(PortalError, match=r"own-key\.unwritable"):
        own_key.create(tmp_path / "nowhere" / "key.pem")


def test_what_is_no_key_of_ours_is_refused(tmp_path):
    other = ec.generate_private_key(ec.SECP384R1())
    contents = [None, b"", b"-----BEGIN", other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())]
    for number, content in enumerate(contents):
        file = tmp_path / f"{number}.pem"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(PortalError, match=r"own-key\.unreadable"):
            own_key.read(file)
