"""On a really full disk the demo says so in one line, leaves nothing running, and goes on once there is room."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import disk
from tests.support.demo import Demo, processes_of, run

pytestmark = [pytest.mark.demo, pytest.mark.timeout(600)]
ROUNDS = 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Two megabytes: enough for keys and settings, not for the stores."""
    if not disk.mountable():
        pytest.skip("mounting a small file system needs root")
    with disk.small(tmp_path / "disk", "2m"):
        yield tmp_path / "disk"


def test_it_is_said_and_the_same_command_goes_on(small_disk: Path) -> None:
    demo = Demo(small_disk / "run", ROUNDS)
    arguments = ("demo", "--dir", str(demo.directory), "--port", str(demo.port), "--rounds", str(ROUNDS), "--no-serve")
    for _ in range(2):  # as often as it is tried
        refused = run(*arguments)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
        assert refused.stderr.startswith("disk.full: no space")
        assert processes_of(demo.directory) == []
    disk.resize(small_disk, "100m")
    again = demo.start("--no-serve")
    demo.await_line(again, "patients signed a consent")
    again.send_signal(signal.SIGINT)
    assert again.wait(120) == 130
    assert processes_of(demo.directory) == []


@pytest.mark.skipif(os.environ.get("COVENANT_SOAK") != "1", reason="a whole demo of its own: COVENANT_SOAK=1")
def test_one_that_fills_up_in_a_round_is_said_and_the_study_goes_on(small_disk: Path) -> None:
    """Every store, the ledger and the broker are on that disk: nothing of any of them can be written in that round."""
    disk.resize(small_disk, "200m")
    demo, filler = Demo(small_disk / "run", ROUNDS), small_disk / "filler"
    first = demo.start("--no-serve")
    demo.await_line(first, f"round 1 of {ROUNDS}")
    disk.fill(filler)
    assert first.wait(120) == 1
    assert processes_of(demo.directory) == []
    refused = run("demo", "--dir", str(demo.directory), "--port", str(demo.port), "--no-serve")
    assert (refused.returncode, refused.stderr.startswith("disk.full: no space")) == (1, True), refused.stderr
    filler.unlink()
    second = demo.start("--no-serve")
    output = second.communicate(timeout=400)[0]
    assert second.returncode == 0, output
    rounds = json.loads((demo.out / "report.json").read_text())["study"]["rounds"]
    assert [one["round"] for one in rounds][:ROUNDS] == list(range(1, ROUNDS + 1))
    assert processes_of(demo.directory) == []
