"""A real embedded ledger in a process of its own, with a founded consortium of four hospitals and an institute."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.embedded.create import create
from ledger.gateway import Gateway, connect
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity

HOSPITALS = ("ClevelandMSP", "HungaryMSP", "SwitzerlandMSP", "VaMSP")
INSTITUTE = "InstituteMSP"
SERVE = "import sys; from ledger.cli import app; app(sys.argv[1:])"


class Server:
    """An embedded ledger that can be stopped and started again on the same port."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authorities = {name: Authority.create(name, f"ca.{name}") for name in (*HOSPITALS, INSTITUTE)}
        self.genesis = create(directory, self.authorities, HOSPITALS, [INSTITUTE])
        self.address: dict[str, Any] = {}
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        port = str(self.address.get("port", 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, "serve", "--dir", str(self.directory), "--port", port],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        assert self._process.stdout is not None
        self.address = json.loads(self._process.stdout.readline())

    def stop(self, *, kill: bool = False) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill() if kill else process.terminate()
            process.wait(20)
            assert process.stdout is not None
            process.stdout.close()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def issue(self, role: str, msp: str = HOSPITALS[0], **options: Any) -> Identity:
        return self.authorities[msp].issue(f"{role}.{msp}", [role], **options)

    def connect(self, identity: Any, **options: Any) -> Gateway:
        place = f"{self.address['host']}:{self.address['port']}"
        return connect(place, Path(self.address["tls_ca"]).read_bytes(), identity, **options)


def organisations() -> list[dict[str, Any]]:
    roles = ["peer", "registrar", "site", "steward"]
    hospitals = [{"msp": name, "name": name, "kind": "hospital", "roles": roles, "origins": []} for name in HOSPITALS]
    institute = {"msp": INSTITUTE, "name": INSTITUTE, "kind": "institute", "roles": ["researcher"], "origins": []}
    return [*hospitals, institute]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("ledger"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ledger(server: Server) -> Iterator[SimpleNamespace]:
    """The server, founded, and a gateway of a steward of the first hospital."""
    steward = server.issue("steward")
    with server.connect(steward) as gateway:
        founded = gateway.contract.submit("members:Found", {"organisations": organisations()})
        yield SimpleNamespace(server=server, steward=steward, gateway=gateway, founded=founded)
