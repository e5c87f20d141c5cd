"""The offline command lines: exit 0 only when it is true, one line or one JSON object when not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import covenant
from ledger.identity.ca import Authority
from tests.unit.ledger.verify.forge import Forge
from tests.unit.ledger.verify.test_claims import receipt_file, recorded


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["covenant", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            covenant.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_a_good_ledger_verifies_in_words_and_in_json(run: Any, honest: Forge, tmp_path: Path) -> None:
    export = honest.write(tmp_path / "ledger.blocks")
    head = f"7:{honest.hash.hex()}"
    code, out, err = run("ledger", "verify", export, "--genesis", honest.genesis, "--head", head)
    assert (code, err) == (0, "")
    assert head in out and "Not proven:" in out
    code, out, _ = run("ledger", "verify", export, "--genesis", honest.genesis, "--json")
    told = json.loads(out)
    assert code == 0 and told["ok"] and told["height"] == 7 and told["not_proven"]


def test_failures_are_one_line_with_a_code_and_a_place(run: Any, honest: Forge, tmp_path: Path) -> None:
    export = honest.write(tmp_path / "ledger.blocks")
    data = bytearray(export.read_bytes())
    data[-3000] ^= 1
    export.write_bytes(data)
    code, out, err = run("ledger", "verify", export, "--genesis", honest.genesis)
    assert (code, out) == (1, "") and err.startswith("verify.") and "(block 6" in err and err.count("\n") == 1
    code, out, _ = run("ledger", "verify", export, "--genesis", honest.genesis, "--json")
    assert code == 1 and json.loads(out)["ok"] is False


@pytest.mark.parametrize("place", ["missing", "directory", "empty", "genesis", "head"])
def test_each_wrong_argument_has_its_own_code(run: Any, honest: Forge, tmp_path: Path, place: str) -> None:
    good = honest.write(tmp_path / "ledger.blocks")
    (tmp_path / "empty").touch()
    files = {"missing": tmp_path / "none", "directory": tmp_path, "empty": tmp_path / "empty"}
    genesis = "00" * 32 if place == "genesis" else honest.genesis
    head = ["--head", "seven"] if place == "head" else []
    codes = {
        "missing": "verify.file-missing",
        "directory": "verify.not-a-file",
        "empty": "verify.file-empty",
        "genesis": "verify.genesis",
        "head": "verify.head-malformed",
    }
    code, _, err = run("ledger", "verify", files.get(place, good), "--genesis", genesis, *head)
    assert code == 1 and err.startswith(codes[place] + ":")


def test_a_receipt_is_true_or_it_is_not(run: Any, forge: Forge, tmp_path: Path) -> None:
    receipt = receipt_file(forge, tmp_path / "receipt.json", recorded(forge))
    export = forge.write(tmp_path / "ledger.blocks")
    options = ("--ledger", export, "--genesis", forge.genesis)
    code, out, _ = run("receipt", "verify", receipt, *options)
    assert code == 0 and out.startswith("The receipt is true.")
    code, out, _ = run("receipt", "verify", receipt, *options, "--json")
    assert code == 0 and json.loads(out)["ok"]
    false = receipt_file(forge, tmp_path / "false.json", "00" * 32)
    code, _, err = run("receipt", "verify", false, *options)
    assert code == 1 and err.startswith("receipt.transaction-mismatch:")
    code, _, err = run("proof", "verify", receipt, *options)
    assert code == 1 and err.startswith("proof.malformed:")


def test_an_export_names_what_is_missing(run: Any, tmp_path: Path) -> None:
    (tmp_path / "genesis.block").touch()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "node.json").write_text("[]")
    places = {"missing": tmp_path / "none", "not-served": tmp_path, "malformed": tmp_path / "odd"}
    for expected, directory in places.items():
        code, _, err = run("ledger", "export", tmp_path / "l", "--dir", directory)
        assert code == 1 and err.startswith(f"source.{expected}:")


def test_an_authority_that_is_no_pem_file_is_named_before_anybody_is_called(run: Any, tmp_path: Path) -> None:
    Authority.create("AlphaMSP", "ca.alpha").issue("reader", ["auditor"]).save(tmp_path / "reader")
    (tmp_path / "no.pem").write_bytes(bytes(40))
    for file in ("no.pem", "absent.pem"):
        asked = ["--peer", "127.0.0.1:1", "--tls-ca", tmp_path / file, "--identity", tmp_path / "reader"]
        code, _, err = run("ledger", "export", tmp_path / "l", *asked)
        assert code == 1 and err.startswith(f"source.tls-ca: {tmp_path / file} ")
