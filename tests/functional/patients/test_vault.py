"""What a hospital's store opens, and what a worker remembers of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from msgspec import structs

from portal.errors import ConfigurationError, PortalError
from portal.patients import vault


@pytest.fixture(params=[False, True], ids=["forgetting", "remembering"], autouse=True)
def process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "_keeping", request.param)


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "encryption.key"
    write(file, Fernet.generate_key())
    monkeypatch.setattr(settings, "NODE", structs.replace(settings.NODE, encryption_key_file=file))
    return file


def write(file: Path, key: bytes) -> None:
    file.write_bytes(key)
    file.chmod(0o600)


def test_opens_what_it_sealed_as_often_as_asked(key_file: Path) -> None:
    token = vault.seal(b"secret")
    assert [vault.unseal(token), vault.unseal(token)] == [b"secret", b"secret"]
    assert vault.unseal(vault.seal(b"another")) == b"another"


def test_opens_nothing_once_the_key_file_is_another_one(key_file: Path) -> None:
    token = vault.seal(b"secret")
    assert vault.unseal(token) == b"secret"
    write(key_file, Fernet.generate_key())
    with pytest.raises(PortalError, match=r"vault\.wrong-key"):
        vault.unseal(token)


def test_opens_nothing_once_the_key_file_is_gone_or_others_can_read_it(key_file: Path) -> None:
    token = vault.seal(b"secret")
    assert vault.unseal(token) == b"secret"
    key_file.chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"config\.key-file"):
        vault.unseal(token)
    key_file.unlink()
    with pytest.raises(ConfigurationError, match=r"config\.key-file"):
        vault.unseal(token)
