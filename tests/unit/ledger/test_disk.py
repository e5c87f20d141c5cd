"""A file is the old one or the whole new one; a directory has one holder, and none once its process is gone."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import disk


@pytest.fixture(autouse=True)
def everybody_may_read():
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_what_is_written_takes_the_place_of_what_stood_there(tmp_path):
    file = tmp_path / "file"
    for content in (b"old", b"new"):
        with disk.replacing(file) as handle:
            handle.write(content)
    assert (file.read_bytes(), mode(file), list(tmp_path.iterdir())) == (b"new", 0o600, [file])


def test_the_umask_decides_about_a_file_for_others(tmp_path):
    with disk.replacing(tmp_path / "file", 0o666) as handle:
        handle.write(b"x")
    assert mode(tmp_path / "file") == 0o644


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_stood_there_stays_if_anything_fails(tmp_path, fault):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with pytest.raises(type(fault)), disk.replacing(file) as handle:
        handle.write(b"half of the n")
        raise fault
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (b"old", [file])


def test_nobody_sees_it_half_written(tmp_path):
    file = tmp_path / "file"
    with disk.replacing(file) as handle:
        handle.write(b"half")
        handle.flush()
        assert not file.exists()


def test_what_a_killed_writer_leaves_is_known_from_what_others_left(tmp_path):
    file, program = (
        tmp_path / "a[b].json",
        (
            "import os, signal, sys\nfrom pathlib import Path\nfrom ledger import disk\n"
            "with disk.replacing(Path(sys.argv[1])) as handle:\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        ),
    )
    for name in (".a[b].json.new", ".b.json.0123456789abcdef", "a[b].json.0123456789abcdef"):
        (tmp_path / name).touch()
    before = {*tmp_path.iterdir()}
    killed = subprocess.run([sys.executable, "-c", program, str(file)], check=False)
    assert killed.returncode == -signal.SIGKILL and disk.partials(file) == [*({*tmp_path.iterdir()} - before)] != []


def test_a_second_process_does_not_get_what_the_first_holds_until_it_is_gone(tmp_path):
    program = "import sys, time; from ledger import disk; disk.hold(sys.argv[1]); print(flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", program, tmp_path / "lock"], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder:
        holder.stdout.readline()
        with pytest.raises(BlockingIOError):
            disk.hold(tmp_path / "lock")
        holder.send_signal(signal.SIGKILL)
    os.close(disk.hold(tmp_path / "lock"))
