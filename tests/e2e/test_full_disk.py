"""On a really full disk the demo says so in one line, leaves nothing running, and goes on once there is room."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.demo import Demo, processes_of, run

pytestmark = [pytest.mark.demo, pytest.mark.timeout(600)]


@pytest.fixture
def small_disk(tmp_path: Path, program: Callable[..., str]) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """Two megabytes, and a function that makes them more: enough for keys and settings, not for the stores."""
    mount, umount, folder = program("mount"), program("umount"), tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)

    def grow(size: str) -> None:
        subprocess.run([mount, "-o", f"remount,size={size}", folder], check=True)

    yield folder, grow
    subprocess.run([umount, "-l", folder], check=True)


def test_it_is_said_and_the_same_command_goes_on(small_disk: tuple[Path, Callable[[str], None]]) -> None:
    folder, grow = small_disk
    demo = Demo(folder / "run", rounds=4)
    arguments = ("demo", "--dir", str(demo.directory), "--port", str(demo.port), "--rounds", "4", "--no-serve")
    for _ in range(2):  # as often as it is tried
        refused = run(*arguments)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
        assert refused.stderr.startswith("disk.full: no space")
        assert processes_of(demo.directory) == []
    grow("100m")
    again = demo.start("--no-serve")
    demo.await_line(again, "patients signed a consent")
    again.send_signal(signal.SIGINT)
    assert again.wait(60) == 130
    assert processes_of(demo.directory) == []
