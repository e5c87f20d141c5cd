"""What `make` does about a download that breaks, and what it hands on to the installer."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# What the make that may have begun these tests says to the ones below it.
OUTER = {"MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "TORCH", "VENV"}
INSTALLER = """#!/bin/sh
echo "$@" >> calls
[ "$(wc -l < calls)" -gt "$(cat breaks)" ]
"""


@pytest.fixture
def clone(tmp_path):
    """Makefile and what it watches, with an installer that breaks as often as the file `breaks` says."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("constraints.txt", "pyproject.toml", "covenant.py"):
        (tmp_path / name).touch()
    uv = tmp_path / ".venv/bin/uv"
    uv.parent.mkdir(parents=True)
    uv.write_text(INSTALLER)
    uv.chmod(0o755)
    return tmp_path


def install(clone: Path, breaks: int, *arguments: str) -> tuple[int, str, list[str]]:
    """Exit status, what was said, and what the installer was called with."""
    (clone / "breaks").write_text(str(breaks))
    (clone / "calls").unlink(missing_ok=True)
    env = {name: value for name, value in os.environ.items() if name not in OUTER}
    made = subprocess.run(
        ["make", *arguments, ".venv/.demo"], cwd=clone, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    return made.returncode, made.stdout, (clone / "calls").read_text().splitlines()


def test_a_download_that_breaks_is_tried_again_and_the_size_is_said_first(clone):
    status, said, calls = install(clone, breaks=2)
    assert (status, len(calls), len(set(calls))) == (0, 3, 1)
    assert said.startswith("Installing: about 3 GB to download the first time, 6 GB on disk")
    assert "--constraint constraints.txt" in calls[0] and calls[0].endswith("--editable .[training,portal]")


def test_one_that_stays_broken_is_a_failure_and_the_same_command_goes_on(clone):
    status, said, calls = install(clone, breaks=99)
    assert (status != 0, len(calls)) == (True, 3)
    assert "A broken download resumes: run the same command again." in said
    assert not (clone / ".venv/.demo").exists()
    assert install(clone, breaks=0)[0] == 0 and (clone / ".venv/.demo").exists()


@pytest.mark.parametrize(("given", "handed"), [(("TORCH=cpu",), True), ((), False)])
def test_another_torch_is_the_installers_choice_of_index(clone, given, handed):
    assert ("--torch-backend=cpu" in install(clone, 0, *given)[2][0]) is handed
