"""A throw-away PostgreSQL for one command: `python -m tests.support.postgres pytest tests/functional/reactor`.

The command finds it in COVENANT_TEST_DATABASE. The server listens only on a socket in a directory of its own, and ends
with the command, however that ends. It is Debian's. Without it: a line that says what is skipped, and with CI=true a
failure.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

START_SECONDS = 30.0
THROW_AWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=")


@contextmanager
def running() -> Iterator[str | None]:
    """A server's URL while the block runs; None where there is no PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="covenant-pg-", dir="/tmp"))  # short: a socket's path has a limit
    try:
        place, owner = programs(), user()
        if place is None:
            yield None
            return
        if owner:
            shutil.chown(folder, owner, pwd.getpwnam(owner).pw_gid)
        with server(place, folder, owner):
            yield address(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server(place: Path, folder: Path, owner: str | None) -> Iterator[None]:
    """A new cluster in `folder`, served as `owner` by the programs in `place` until the block ends."""
    start: dict[str, Any] = {"user": owner, "cwd": folder, "env": {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}}
    initialise = [place / "initdb", "-D", "data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]
    subprocess.run(initialise, check=True, stdout=subprocess.DEVNULL, **start)
    options = [word for each in THROW_AWAY for word in ("-c", each)]
    with (folder / "log").open("wb") as log:
        command = [place / "postgres", "-D", "data", "-k", str(folder), *options]
        process = subprocess.Popen(command, stdout=log, stderr=log, **start)
    try:
        wait(address(folder), process, folder / "log")
        yield
    finally:
        process.send_signal(signal.SIGINT)  # a fast shutdown: sessions end, nothing is waited for
        process.wait(START_SECONDS)


def address(folder: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}"


def wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.1)


def programs() -> Path | None:
    """Where initdb, postgres, pg_dump and pg_restore are: Debian's newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parents[1].name))
    return found[-1].parent if found else None


def user() -> str | None:
    """Whom to run the server as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    return "postgres" if "postgres" in {each.pw_name for each in pwd.getpwall()} else "nobody"


def main(command: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends as well
    with running() as url:
        if url is None:
            print("PostgreSQL is not installed: not run on it:", *command)
            return 1 if os.environ.get("CI") == "true" else 0
        return subprocess.run(command, env={**os.environ, "COVENANT_TEST_DATABASE": url}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
