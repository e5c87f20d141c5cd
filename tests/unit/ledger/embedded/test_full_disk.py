"""A disk that is really full (a small file system of its own): a clear error, nothing half-written, reading goes on."""

from __future__ import annotations

import os
import subprocess

import pytest

from ledger.errors import LedgerError
from ledger.verify.export import export
from ledger.verify.verification import verify
from tests.unit.ledger.embedded.harness import found, members
from tests.unit.ledger.embedded.wire import TEXT


@pytest.fixture
def small_disk(tmp_path, program):
    """Three megabytes."""
    mount, umount = program("mount"), program("umount")
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run([umount, "-l", folder], check=True)


def test_a_full_disk_is_said_and_what_stands_can_be_read(small_disk, tmp_path):
    server = found(small_disk / "ledger")
    server.start()
    try:
        with server.connect() as door:
            door.contract.submit("members:Found", members())
            ballast = small_disk / "ballast"
            free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize
            ballast.write_bytes(bytes(max(0, free - 128 * 1024)))
            written, refusal = 0, None
            while refusal is None and written < 1000:
                try:
                    door.contract.submit("consents:PublishText", {"text": f"t-{written}", **TEXT})
                    written += 1
                except LedgerError as error:
                    refusal = error
            assert refusal is not None
            assert refusal.code == "ledger.disk-full"
            assert len(door.contract.evaluate("members:List", {})) == 5
            height = door.head().height
            assert len(list(door.blocks())) == 2 + written
            ballast.unlink()
            door.contract.submit("consents:PublishText", {"text": "again", **TEXT})
            assert door.head().height == height + 1
            export(door, tmp_path / "ledger.blocks")
        verify(tmp_path / "ledger.blocks", server.genesis)
        server.process.kill()
        server.start()
        with server.connect() as door:
            assert door.head().height == height + 1
    finally:
        server.stop()
