"""A site's own record of what it began and what it finished, one folder an attempt, durable before each call returns.

`begun` appears before training reads a record; `result` holds the noised bytes before a spend is submitted. A crash in
between leaves `begun` alone: that attempt is lost, and is never trained a second time.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import msgspec

from training.errors import TrainingError
from training.federation.vectors import Vector, digest, from_bytes, to_bytes
from training.site.stores import Attempt, Tally

ROOM = 32 * 2**20  # bytes: to follow the ledger through a step, and for what the step itself keeps
TALLY = "tally.json"


class FileAttempts:
    """Attempts under `root`, readable by this user alone."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def require_room(self) -> None:
        """Raises TrainingError `site.disk-full` before anything is begun whose end could not be kept."""
        standing = next(folder for folder in (self._root, *self._root.absolute().parents) if folder.exists())
        if shutil.disk_usage(standing).free < ROOM:
            raise full()

    def note(self, attempt: Attempt, tally: Tally) -> None:
        folder = self._folder(attempt)
        try:
            for parent in (self._root, folder.parent, folder):
                parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise unwritable(error) from None
        write(folder / TALLY, msgspec.json.encode(tally))

    def tallies(self, study: str) -> dict[Attempt, Tally]:
        """What was noted of every attempt of `study`, in their order."""
        found = {}
        for path in (self._root / study).glob(f"*/{TALLY}"):
            number, attempt, kind = path.parent.name.split("-")
            found[Attempt(study, int(number), int(attempt), kind)] = msgspec.json.decode(path.read_bytes(), type=Tally)
        return dict(sorted(found.items()))

    def start(self, attempt: Attempt) -> bool:
        folder = self._folder(attempt)
        try:
            for parent in (self._root, folder.parent, folder):
                parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(folder / "begun", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            os.fsync(handle)
            os.close(handle)
            for parent in (folder, folder.parent, self._root):
                sync(parent)
        except FileExistsError:
            return False
        except OSError as error:
            raise unwritable(error) from None
        return True

    def result(self, attempt: Attempt) -> bytes | None:
        try:
            return (self._folder(attempt) / "result").read_bytes()
        except FileNotFoundError:
            return None

    def keep(self, attempt: Attempt, result: bytes) -> None:
        target = self._folder(attempt) / "result"
        if target.exists():
            raise TrainingError("site.result-known", "this attempt has a result already; it is never made twice")
        write(target, result)

    def _folder(self, attempt: Attempt) -> Path:
        return self._root / attempt.study / f"{attempt.round}-{attempt.attempt}-{attempt.kind}"


class FileVectors:
    """Vectors that this site computed or verified itself, by digest."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, name: str) -> Vector | None:
        try:
            vector = from_bytes((self._root / f"{name}.f32").read_bytes())
        except (FileNotFoundError, TrainingError):
            return None
        return vector if digest(vector) == name else None

    def put(self, vector: Vector) -> str:
        name = digest(vector)
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        write(self._root / f"{name}.f32", to_bytes(vector))
        return name


def write(target: Path, data: bytes) -> None:
    """Put `data` at `target`: whole or not at all, on disk when this returns. Raises TrainingError `site.disk-full`."""
    part = target.with_suffix(".part")
    try:
        handle = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync(target.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise unwritable(error) from None


def sync(folder: Path) -> None:
    """Make the names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritable(error: OSError) -> TrainingError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full()
    return TrainingError("site.disk-failed", f"this site cannot write its record of attempts: {error.strerror}")


def full() -> TrainingError:
    return TrainingError("site.disk-full", "this site's disk is full: make room; it is asked again until its deadline")
