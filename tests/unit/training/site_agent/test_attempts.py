"""What a site began and finished: begun once, kept whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support import disk
from training.errors import TrainingError
from training.site import attempts
from training.site.attempts import FileAttempts, FileVectors
from training.site.stores import Attempt

ATTEMPT = Attempt("00000000-0000-0000-0000-000000000001", 1, 1, "training")


@pytest.fixture
def store(tmp_path):
    return FileAttempts(tmp_path / "attempts")


def test_an_attempt_begins_once_whoever_asks_first(store):
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: store.start(ATTEMPT), range(32)))
    assert sorted(begun)[-1] and sum(begun) == 1
    assert not FileAttempts(store._root).start(ATTEMPT)


def test_kinds_and_attempts_are_apart(store):
    assert all(store.start(one) for one in (ATTEMPT, ATTEMPT._replace(kind="evaluation"), ATTEMPT._replace(attempt=2)))


def test_a_result_is_kept_and_never_replaced(store):
    store.start(ATTEMPT)
    assert store.result(ATTEMPT) is None
    store.keep(ATTEMPT, b"noised")
    assert FileAttempts(store._root).result(ATTEMPT) == b"noised"
    with pytest.raises(TrainingError, match=r"site\.result-known"):
        store.keep(ATTEMPT, b"other")
    assert store.result(ATTEMPT) == b"noised"


def test_others_cannot_read_it(store):
    store.start(ATTEMPT)
    store.keep(ATTEMPT, b"noised")
    for folder, _, files in os.walk(store._root):
        assert stat.S_IMODE(os.stat(folder).st_mode) & 0o077 == 0 or folder == str(store._root)
        assert all(stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600 for name in files)


def test_a_full_disk_keeps_nothing_and_says_so(store, monkeypatch):
    store.start(ATTEMPT)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(attempts.os, "fsync", full)
    with pytest.raises(TrainingError, match=r"site\.disk-full"):
        store.keep(ATTEMPT, b"noised")
    assert store.result(ATTEMPT) is None and not list(store._root.rglob("*.part"))
    with pytest.raises(TrainingError, match=r"site\.disk-full"):
        store.start(ATTEMPT._replace(attempt=9))


@pytest.mark.parametrize(("left", "enough"), [(0, False), (attempts.ROOM - 1, False), (attempts.ROOM, True)])
def test_a_step_needs_room_before_it_begins(store, monkeypatch, left, enough):
    monkeypatch.setattr(attempts.shutil, "disk_usage", lambda _: SimpleNamespace(free=left))
    with nullcontext() if enough else pytest.raises(TrainingError, match=r"site\.disk-full"):
        store.require_room()


def test_room_is_looked_for_where_the_attempts_will_lie(tmp_path):
    if not disk.mountable():
        pytest.skip("mounting a small file system needs root")
    with disk.small(tmp_path / "data", "40m"):
        store = FileAttempts(tmp_path / "data" / "attempts")
        store.require_room()
        disk.fill(tmp_path / "data" / "filler")
        with pytest.raises(TrainingError, match=r"site\.disk-full"):
            store.require_room()


def test_a_damaged_vector_is_not_there(tmp_path):
    vectors = FileVectors(tmp_path / "models")
    name = vectors.put(np.ones(4, np.float32))
    assert FileVectors(tmp_path / "models").get(name).tolist() == [1] * 4
    (tmp_path / "models" / f"{name}.f32").write_bytes(b"\0" * 16)
    assert vectors.get(name) is None and vectors.get("00" * 32) is None
