"""A small disk of its own for a test: a tmpfs, which really says that it is full. Mounting one needs root."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def mountable() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None


@contextmanager
def small(folder: Path, size: str) -> Iterator[None]:
    """`folder` is a disk of `size` (as mount spells it) until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def resize(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def fill(file: Path) -> None:
    """Write zeros into `file` until not a byte is left."""
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
