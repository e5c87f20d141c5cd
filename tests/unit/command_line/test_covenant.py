"""A refusal is one line and status 1; help needs no heavy library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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


def test_an_unknown_command_is_a_usage_error() -> None:
    assert covenant("no-such-command").returncode == 2


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
