"""The package: the same bytes everywhere, and other bytes for other contracts."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.contracts import host
from ledger.network.errors import NetworkError
from ledger.network.package import INSTALLED, Package, stored


@given(st.binary(max_size=200_000))
def test_what_is_stored_is_gzip(data):
    assert gzip.decompress(stored(data)) == data


def test_the_package_says_which_contracts_it_stands_for():
    package = Package.of()
    assert (package.version, package.digest) == (host.VERSION, host.source_digest())
    with tarfile.open(fileobj=io.BytesIO(package.data)) as outer:
        metadata = json.loads(outer.extractfile("metadata.json").read())
        code = outer.extractfile("code.tar.gz").read()
    with tarfile.open(fileobj=io.BytesIO(code)) as inner:
        contracts = json.loads(inner.extractfile("contracts.json").read())
    assert metadata == {"type": "covenant", "label": package.label}
    assert contracts == {"version": package.version, "digest": package.digest}
    assert package.id == f"{package.label}:{sha256(package.data).hexdigest()}"


def test_a_package_is_these_bytes_wherever_it_is_made():
    package = Package("0.1.0", "ab" * 32, Path("/anywhere"))
    assert sha256(package.data).hexdigest() == "7ac344cc5ddaff16a76b898b0bddb12a3c2308e4a293f3ff6275c701057f135d"


def test_other_contracts_make_another_package(tmp_path):
    for name in ("ledger", "consent"):
        shutil.copytree(INSTALLED / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    assert Package.of(tmp_path).id == Package.of().id
    with (tmp_path / "ledger" / "contracts" / "consents.py").open("a") as file:
        file.write("# another version\n")
    assert Package.of(tmp_path).label != Package.of().label


def test_a_folder_without_contracts(tmp_path):
    with pytest.raises(NetworkError, match=r"^network\.no-contracts: "):
        Package.of(tmp_path)
