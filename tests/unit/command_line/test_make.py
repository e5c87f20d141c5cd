"""`make` names what it can do, and compiles what it runs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def make(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],  # else one that runs under make names its folder
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
        env={**os.environ, **env},
    )


def test_help_lists_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert {line.split()[0] for line in make("help").stdout.splitlines()} == set(phony[1].split())


def test_a_target_that_is_not_there_is_told() -> None:
    refused = make("demmo")
    assert refused.returncode == 2
    assert "There is no 'demmo' to make: 'make help' lists what there is." in refused.stderr


def test_bytecode_is_kept_whatever_the_container_says() -> None:
    told = make("--eval", "probe: ; @env", "probe", PYTHONDONTWRITEBYTECODE="1")
    assert told.returncode == 0 and "PYTHONDONTWRITEBYTECODE" not in told.stdout
