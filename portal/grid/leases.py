"""One run a study: a lease in the hub's database, renewed by its holder, free again when the holder is gone.

A holder that was killed on this machine is known to be gone at once (its process no longer runs); on another machine
its lease runs out. A holder that lost its lease finds out at its next `alive()` and stops; a double run in between does
no harm, since every step is answered from the ledger and from the sites' records.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import psutil
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from portal.errors import PortalError
from portal.grid.models import StudyRun

LEASE = timedelta(seconds=60)


@contextmanager
def held(study: str) -> Iterator[Callable[[], None]]:
    """Hold the lease of `study` while the block runs; gives `alive()`, which raises once the lease is lost.

    Raises PortalError `hub.study-held` where a living process holds it, `hub.study-unknown` where nobody asked for it.
    """
    me = holder()
    take(study, me)
    lost, done = threading.Event(), threading.Event()
    renewer = threading.Thread(target=keep, args=(study, me, lost, done), name="lease", daemon=True)
    renewer.start()

    def alive() -> None:
        if lost.is_set():
            raise PortalError("hub.lease-lost", "another process runs this study now")

    try:
        yield alive
    finally:
        done.set()
        renewer.join()
        StudyRun.objects.filter(study=study, holder=me).update(holder="", held_until=None)


def take(study: str, me: str) -> None:
    run = StudyRun.objects.filter(study=study).first()
    if run is None:
        raise PortalError("hub.study-unknown", "nobody asked this hub to run that study")
    free = Q(holder="") | Q(holder=me) | Q(held_until__lt=timezone.now())
    if run.holder and gone(run.holder):
        free |= Q(holder=run.holder)
    taken = StudyRun.objects.filter(free, study=study).update(holder=me, held_until=timezone.now() + LEASE)
    if not taken:
        raise PortalError("hub.study-held", "this study is being run by another process")


def keep(study: str, me: str, lost: threading.Event, done: threading.Event) -> None:
    """Renew until `done`; set `lost` when somebody else has the lease, or it could not be renewed in time."""
    try:
        until = timezone.now() + LEASE
        while not done.wait(LEASE.total_seconds() / 4):
            try:
                renewed = StudyRun.objects.filter(study=study, holder=me).update(held_until=timezone.now() + LEASE)
            except Exception:  # the database is away: the lease holds as long as it was promised
                if timezone.now() > until:
                    lost.set()
                continue
            if not renewed:
                lost.set()
                return
            until = timezone.now() + LEASE
    finally:
        connection.close()


def is_held(run: StudyRun) -> bool:
    """Whether a process that may still live holds `run`."""
    return bool(run.holder and run.held_until and run.held_until > timezone.now() and not gone(run.holder))


def holder() -> str:
    """This process, so that others can tell whether it still runs."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def gone(name: str) -> bool:
    """Whether the process `name` ran on this machine and has ended."""
    host, _, rest = name.partition(":")
    number, _, started = rest.partition(":")
    if host != socket.gethostname()[:64]:
        return False
    try:
        return abs(psutil.Process(int(number)).create_time() - float(started)) > 0.05
    except (psutil.NoSuchProcess, ValueError):
        return True
