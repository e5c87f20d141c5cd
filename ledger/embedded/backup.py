"""An embedded ledger as one file, and back.

The file is a tar archive with the whole directory: blocks and state, genesis block, and ALL KEYS of the ledger (every
peer's, the orderer's, TLS). Whoever has it can sign as the ledger: it is made readable by its owner alone; keep it so.

A restored ledger is as old as its backup. What was written since is gone from it, spent privacy budget included, so a
follower that has seen more refuses it (`gateway.ledger-behind`, `gateway.checkpoint-unknown`): restore the newest copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ledger import disk
from ledger.embedded.layout import Layout
from ledger.errors import LedgerError
from ledger.protocol import genesis

FORMAT = "covenant.ledger-backup.v1"
MANIFEST = "manifest.json"
PRIVATE = 0o077  # the mode bits that a key must not have
_FOREIGN = (OSError, tarfile.TarError, ValueError, KeyError, TypeError, EOFError, zlib.error, sqlite3.Error)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: `genesis` SHA-256 (hex) of the genesis block, `height` number of blocks, `files` path ->
    SHA-256 (hex).
    """

    genesis: str
    height: int
    files: dict[str, str] = field(default_factory=dict)
    format: str = FORMAT


def back_up(directory: Path, file: Path) -> Manifest:
    """Write the ledger in `directory`, serving or not, to `file` (mode 0600), whole or not at all.

    Raises LedgerError `backup.exists` (a backup is never written over), `backup.directory-missing`,
    `ledger.no-directory`.
    """
    layout = Layout(directory)
    if not layout.database.exists():
        raise LedgerError("ledger.no-directory", f"{directory} holds no ledger that was ever served")
    if file.exists():
        raise LedgerError("backup.exists", f"{file} is there already: choose another name")
    if not file.parent.is_dir():
        raise LedgerError("backup.directory-missing", f"there is no directory {file.parent}: make it first")
    with tempfile.TemporaryDirectory(dir=file.parent) as folder, disk.replacing(file) as handle:
        database = Path(folder) / layout.database.name
        with closing(sqlite3.connect(layout.database)) as source, closing(sqlite3.connect(database)) as copy:
            source.backup(copy)
        lasting = [layout.genesis, layout.genesis_digest, *layout.tls.rglob("*"), *layout.identities.rglob("*")]
        sources = {str(path.relative_to(directory)): path for path in sorted(lasting) if path.is_file()}
        sources[layout.database.name] = database
        manifest = Manifest(
            genesis.read(layout.genesis.read_bytes()).digest,
            _height(database),
            {name: _digest(path) for name, path in sources.items()},
        )
        (Path(folder) / MANIFEST).write_text(json.dumps(asdict(manifest)))
        with tarfile.open(fileobj=handle, mode="w:gz", compresslevel=1) as archive:
            for name, path in {MANIFEST: Path(folder) / MANIFEST, **sources}.items():
                archive.add(path, name, recursive=False)
    return manifest


def restore(file: Path, directory: Path) -> Manifest:
    """Put the ledger in `file` back into `directory`, absent or empty: all of it or nothing.

    Raises LedgerError `restore.not-empty`, `restore.malformed`.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise LedgerError("restore.not-empty", f"{directory} holds something: move it away first, or name another")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as folder:
        place = Path(folder) / "ledger"
        try:
            manifest = _unpack(file, place)
        except (*_FOREIGN, LedgerError) as error:
            reason = f"{file} is no backup of an embedded ledger, or it was cut short or changed"
            raise LedgerError("restore.malformed", reason) from error
        place.rename(directory)  # onto an empty directory at most
    return manifest


def _unpack(file: Path, place: Path) -> Manifest:
    """The archive's content in `place`, once every file of it is as its manifest says; any of _FOREIGN if not."""
    place.mkdir()
    disk.unpack(file, place)
    manifest = Manifest(**json.loads((place / MANIFEST).read_bytes()))
    (place / MANIFEST).unlink()
    found = {str(path.relative_to(place)): path for path in place.rglob("*") if not path.is_dir()}
    layout = Layout(place)
    if manifest.format != FORMAT or {name: _digest(path) for name, path in found.items()} != manifest.files:
        raise ValueError(manifest.format)
    if genesis.read(layout.genesis.read_bytes()).digest != manifest.genesis:
        raise ValueError(manifest.genesis)
    if _height(layout.database) != manifest.height:
        raise ValueError(manifest.height)
    for path in found.values():
        if not path.stat().st_mode & PRIVATE:
            path.parent.chmod(0o700)  # as it was made: a key's folder is for its owner
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
    return manifest


def _height(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        (blocks,) = connection.execute("select count(*) from block").fetchone()
    return int(blocks)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
