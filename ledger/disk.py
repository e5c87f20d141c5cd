"""Files and archives that are there whole or not at all, and directories that one process at a time holds."""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(file: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """What is written within becomes `file` at the end: a temporary file beside it, fsync, rename. If anything fails,
    what stood there stays.

    `mode` is cut by the umask. Raises OSError, such as for a full disk.
    """
    partial = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def partials(file: Path) -> list[Path]:
    """What lies beside `file` of writers in `replacing` that were killed: theirs alone, and no use to anybody."""
    left = re.compile(rf"\.{re.escape(file.name)}\.[0-9a-f]{{16}}")
    return [path for path in file.parent.iterdir() if left.fullmatch(path.name)]


def unpack(file: Path, folder: Path) -> None:
    """What the compressed tar archive `file` holds, in `folder`, once all of it has been read: at its end stands the
    checksum that a cut or a changed byte anywhere fails, and who reads the archive alone stops before.

    Raises OSError, EOFError, zlib.error, tarfile.TarError, ValueError: the file is another or not as it was written.
    """
    with gzip.open(file) as whole:
        while whole.read(1 << 20):
            pass
    with tarfile.open(file, "r:gz") as archive:
        archive.extractall(folder, filter="data")


def hold(lock: Path) -> int:
    """Take the file `lock`, made where it is absent, for this process; the kernel gives it back when the descriptor
    returned is closed or the process ends, however it ends. Raises BlockingIOError where another process holds it.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
