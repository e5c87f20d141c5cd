"""A refusal is one line and status 1; help needs no heavy library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from covenant import unusable

ROOT = Path(__file__).parents[3]


def covenant(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "covenant.py"), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )


def test_help_lists_every_command() -> None:
    result = covenant("--help")
    assert result.returncode == 0
    for name in ("demo", "doctor", "ledger", "proof", "receipt", "backup", "restore"):
        assert name in result.stdout


def test_help_imports_no_heavy_library() -> None:
    code = "import sys, covenant; covenant.cli.main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
    )
    for heavy in ("torch", "django", "grpc", "flwr", "monai"):
        assert f"'{heavy}'" not in result.stdout


def test_doctor_tells_json() -> None:
    result = covenant("doctor", "--json")
    report = json.loads(result.stdout)
    assert {finding["name"] for finding in report["findings"]} >= {
        "Python",
        "Disk",
        "Ports",
        "torch",
        "Go",
        "Fabric",
        "Chromium",
    }
    assert all(finding["state"] in ("ok", "missing", "optional") for finding in report["findings"])
    assert all(finding["mend"] for finding in report["findings"] if finding["state"] != "ok")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-command"], "No such command 'no-such-command'; see covenant.py --help"),
        (
            ["demo", "--rounds", "3"],
            "Invalid value for '--rounds': 3 is not in the range 4<=x<=200; see covenant.py demo",
        ),
        (
            ["demo", "--ledger", "paper"],
            "Invalid value for '--ledger': 'paper' is not one of 'embedded', 'fabric'; see",
        ),
        (["demo", "--seed", "-1"], "Invalid value for '--seed': -1 is not in the range 0<=x<=2147483648; see"),
        (["doctor", "--port", "70000"], "Invalid value for '--port': 70000 is not in the range 1024<=x<=65460; see"),
        (["demo", "twice"], "Got unexpected extra argument (twice); see covenant.py demo --help"),
        (["ledger", "verify", "ledger.blocks"], "Missing option '--genesis'; see covenant.py ledger verify --help"),
        (["restore"], "Invalid value: give a FILE, or --after with a node; see covenant.py restore --help"),
    ],
)
def test_a_command_that_is_not_understood_is_told_in_one_sentence(arguments: list[str], said: str) -> None:
    result = covenant(*arguments)
    assert (result.returncode, result.stderr.count("\n"), result.stdout) == (2, 1, "")
    assert result.stderr.startswith(f"command.malformed: {said}")


def test_without_a_command_it_shows_its_help() -> None:
    result = covenant()
    assert result.returncode == 2 and "Run the whole main job" in result.stderr


def test_a_command_that_is_not_understood_is_json_where_asked() -> None:
    result = covenant("ledger", "verify", "--json", "ledger.blocks")
    assert result.returncode == 2 and json.loads(result.stdout)["code"] == "command.malformed"


def test_a_place_that_cannot_hold_a_demo_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = covenant("demo", "--dir", str(tmp_path / "file"))
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("demo.directory: ")


def test_a_place_that_cannot_be_used_is_told_in_one_sentence(tmp_path: Path) -> None:
    (file := tmp_path / "file").write_text("")
    result = covenant("omop", "example", str(file / "below"))
    assert (result.returncode, result.stderr.count("\n"), result.stdout) == (1, 1, "")
    assert result.stderr.startswith(f"disk.unusable: {file / 'below'} cannot be used (Not a directory)")


def test_an_error_that_names_no_file_is_no_refusal() -> None:
    with pytest.raises(ConnectionResetError):
        unusable(ConnectionResetError("by whom nobody knows"))
