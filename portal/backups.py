"""A hospital's store as one file, and back. What a restore must never do: spend or freeze a second time.

The file is a tar archive, readable by its owner alone: the database (SQLite), whatever lies in the node's data folder,
and a manifest that names the node. Keys stay out: a backup without the node's key file opens no secret, so keep that
file elsewhere.

After a restore the ledger may know cohorts that the store does not. Each becomes a Cohort marked `lost`, so that the
site answers a repeated message for that attempt as lost and never makes the cohort again.
"""

from __future__ import annotations

import json
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from ledger import disk
from portal.errors import PortalError
from portal.reactor import selectors as mirror
from portal.reactor.follow import catch_up

log = structlog.get_logger(__name__)
FORMAT = "covenant.backup.v1"
DATABASE, DATA, MANIFEST = "store", "data", "manifest.json"


def back_up(file: Path) -> dict[str, Any]:
    """Write this node's store to `file` (mode 0600), whole or not at all; returns the manifest.

    Raises PortalError `backup.exists` (a backup is never written over), `backup.directory-missing`.
    """
    if file.exists():
        raise PortalError("backup.exists", f"{file} is there already: choose another name")
    if not file.parent.is_dir():
        raise PortalError("backup.directory-missing", f"there is no directory {file.parent}: make it first")
    with tempfile.TemporaryDirectory(dir=file.parent) as folder, disk.replacing(file) as handle:
        copied = Path(folder) / DATABASE
        copy_database(copied)
        manifest = {"format": FORMAT, "node": settings.NODE.name, "msp": settings.NODE.msp, "engine": connection.vendor}
        (Path(folder) / MANIFEST).write_text(json.dumps(manifest))
        with tarfile.open(fileobj=handle, mode="w:gz") as archive:
            archive.add(Path(folder) / MANIFEST, MANIFEST)
            archive.add(copied, DATABASE)
            archive.add(settings.NODE.data, DATA)
    log.info("backed up")
    return manifest


def restore(file: Path) -> int:
    """Put the store in `file` back, follow the ledger to its newest block, and mark the attempts that the store lost.

    Only where there is no store yet. What happened here after the backup and never reached the ledger (a patient
    enrolled, a withdrawal handed in while the ledger was away) is gone: ask those patients. Returns how many attempts
    are lost. Raises PortalError `restore.not-empty`, `restore.malformed`, `restore.other-node`, `backup.engine`.
    """
    store = store_file()
    if store.exists() or any(settings.NODE.data.iterdir()):
        raise PortalError("restore.not-empty", f"{store} or {settings.NODE.data} holds something: move it away first")
    with tempfile.TemporaryDirectory(dir=store.parent) as folder:
        place = unpack(file, Path(folder))
        for source in sorted((place / DATA).rglob("*")):
            if source.is_file():
                target = settings.NODE.data / source.relative_to(place / DATA)
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)
        (place / DATABASE).replace(store)  # last: a store that is there is whole
    call_command("migrate", interactive=False, verbosity=0)
    catch_up()
    return mark_lost()


def unpack(file: Path, folder: Path) -> Path:
    """The archive's content in `folder`, once it is known to be this node's."""
    try:
        disk.unpack(file, folder)
        manifest = json.loads((folder / MANIFEST).read_bytes())
        whole = manifest["format"] == FORMAT and (folder / DATABASE).is_file()
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError, EOFError, zlib.error):
        whole = False
    if not whole:
        raise PortalError("restore.malformed", f"{file} is no backup of Covenant, or it was cut short")
    if (manifest["node"], manifest["msp"]) != (settings.NODE.name, settings.NODE.msp):
        raise PortalError("restore.other-node", f"{file} belongs to the node {manifest['node']}")
    return folder


def copy_database(target: Path) -> None:
    """A consistent copy while others write (SQLite's online backup)."""
    store = store_file()
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def store_file() -> Path:
    """The SQLite file; PortalError `backup.engine` where the store is not SQLite."""
    if connection.vendor != "sqlite":
        raise PortalError(
            "backup.engine", "this store is PostgreSQL: use pg_dump, and `covenant restore --after` once it is back"
        )
    return Path(connection.settings_dict["NAME"])


@transaction.atomic
def mark_lost() -> int:
    """A lost Cohort for every attempt in which the ledger has this hospital's root and the store has no such cohort.

    A hub freezes no cohort.
    """
    if settings.NODE.role == "hub":
        return 0
    from portal.patients.models import Cohort

    lost = 0
    for key, body in mirror.items("studies/cohort/"):
        _, _, study, round_, attempt, msp = key.split("/")
        if msp != settings.NODE.msp:
            continue
        place: dict[str, Any] = {"study": study, "round": int(round_), "attempt": int(attempt)}
        if not Cohort.objects.filter(**place, root=body.get("root") or "").exists():
            values = {"root": body.get("root") or "", "dataset": body.get("dataset", ""), "lost": True, "seed": None}
            Cohort.objects.update_or_create(**place, defaults=values)
            lost += 1
    log.info("attempts marked lost", count=lost)
    return lost
