"""The export file: the line `covenant.ledger.v1`, then each block from 0 on as its length (4 bytes, big-endian) and
its bytes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ledger import disk
from ledger.errors import LedgerError
from ledger.verify.errors import failed

FORMAT = b"covenant.ledger.v1\n"
LARGEST_BLOCK = 2**28  # bytes; a length beyond it is damage, not a block


def read(path: Path) -> Generator[bytes]:
    """The bytes of each block in turn.

    Raises VerificationFailed `verify.file-missing`, `verify.not-a-file`, `verify.file-empty`, `verify.file-unreadable`,
    `verify.format`, `verify.truncated` (the file ends inside a block; one that ends between two blocks can only be told
    by a head that somebody else keeps).
    """
    if path.is_dir():
        raise failed("not-a-file", f"{path} is a directory: name the exported file in it", path=str(path))
    try:
        with path.open("rb") as file:
            yield from _blocks(file, path)
    except FileNotFoundError:
        raise failed("file-missing", f"there is no file {path}: export the ledger first", path=str(path)) from None
    except OSError as error:
        raise failed("file-unreadable", f"{path} cannot be read: {error.strerror}", path=str(path)) from None


def write(path: Path, blocks: Iterable[bytes]) -> int:
    """Write `blocks` to `path`, whole or not at all; the number of blocks.

    Raises LedgerError `export.directory-missing`, `export.not-a-file`, `export.failed` (such as a full disk).
    """
    if path.is_dir():
        raise LedgerError("export.not-a-file", f"{path} is a directory: name a file in it", path=str(path))
    if not path.parent.is_dir():
        raise LedgerError("export.directory-missing", f"there is no directory {path.parent}: make it first")
    try:
        with disk.replacing(path, 0o666) as file:  # who may read it is the caller's umask
            return _write(file, blocks)
    except OSError as error:
        raise LedgerError("export.failed", f"{path} could not be written: {error.strerror}", path=str(path)) from None


def _write(file: BinaryIO, blocks: Iterable[bytes]) -> int:
    file.write(FORMAT)
    count = 0
    for block in blocks:
        file.write(len(block).to_bytes(4, "big") + block)
        count += 1
    return count


def _blocks(file: BinaryIO, path: Path) -> Iterator[bytes]:
    first = file.read(len(FORMAT))
    if not first:
        raise failed("file-empty", f"{path} is empty: export the ledger again", path=str(path))
    if first != FORMAT:
        raise failed("format", f"{path} is not an export of a ledger (its first line is not covenant.ledger.v1)")
    number = 0
    while length := file.read(4):
        size = int.from_bytes(length, "big")
        if len(length) < 4 or not 0 < size <= LARGEST_BLOCK:
            raise failed("truncated", "the file is damaged or cut short", block=number)
        block = file.read(size)
        if len(block) < size:
            raise failed("truncated", "the file ends inside a block", block=number)
        yield block
        number += 1
    if number == 0:
        raise failed("file-empty", f"{path} holds no block: export the ledger again", path=str(path))
