"""On a really full disk the demo says so in one line, leaves nothing running, and goes on once there is room."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import disk
from tests.support.demo import Demo, processes_of, run

pytestmark = [pytest.mark.demo, pytest.mark.timeout(600)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Two megabytes: enough for keys and settings, not for the stores."""
    if not disk.mountable():
        pytest.skip("mounting a small file system needs root")
    with disk.small(tmp_path / "disk", "2m"):
        yield tmp_path / "disk"


def test_it_is_said_and_the_same_command_goes_on(small_disk: Path) -> None:
    demo = Demo(small_disk / "run", rounds=4)
    arguments = ("demo", "--dir", str(demo.directory), "--port", str(demo.port), "--rounds", "4", "--no-serve")
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
