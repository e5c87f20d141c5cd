"""A directory that is no network's, or not whole, is named; nothing in it is touched."""

from __future__ import annotations

import errno

import pytest

from ledger import disk
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.plan import draw

PLAN = draw(["alpha"], [], host="127.0.0.1", port=7050)


def test_a_file_is_no_network(tmp_path):
    file = tmp_path / "file"
    file.write_text("kept")
    with pytest.raises(NetworkError, match=r"^network\.not-found: .*covenant network up makes one"):
        Layout(file).read()
    with pytest.raises(NetworkError, match=r"^network\.directory: .*file cannot be used .*--dir"), Layout(file).lock():
        pass
    assert file.read_text() == "kept"


def test_a_plan_that_cannot_be_read(tmp_path):
    layout = Layout(tmp_path)
    layout.plan.mkdir()
    with pytest.raises(NetworkError, match=r"^network\.directory: .*network\.json cannot be used"):
        layout.read()


def test_a_plan_that_was_changed_by_hand(tmp_path):
    layout = Layout(tmp_path)
    layout.write(PLAN)
    assert layout.read() == PLAN
    layout.plan.write_bytes(layout.plan.read_bytes().replace(b"alpha", b"Alpha", 1) + b" ")
    with pytest.raises(NetworkError, match=r"^network\.malformed: .*put it back from a backup"):
        layout.read()


def test_half_a_network(tmp_path):
    layout = Layout(tmp_path)
    layout.write_draft(PLAN)
    with pytest.raises(NetworkError, match=r"^network\.unfinished: .*covenant network up"):
        layout.read()


def test_a_full_disk_is_called_one(tmp_path, monkeypatch):
    def full(lock):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "hold", full)
    with pytest.raises(OSError, match="No space left"), Layout(tmp_path).lock():
        pass
