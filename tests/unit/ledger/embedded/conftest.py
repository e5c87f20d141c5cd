"""A real embedded ledger: four hospitals, one institute, its own process."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ledger import gateway
from ledger.embedded.create import create
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity

HOSPITALS = ["AlphaMSP", "BetaMSP", "DeltaMSP", "GammaMSP"]
ROOT = Path(__file__).parents[4]


@dataclass
class Server:
    """A directory with a founded channel, and the process that serves it, when it runs."""

    directory: Path
    authorities: dict[str, Authority]
    genesis: str
    identities: dict[str, Identity]
    process: subprocess.Popen[str] | None = None
    address: dict[str, object] = field(default_factory=dict)

    def start(self, port: int = 0) -> None:
        command = [sys.executable, "-c", "from ledger.cli import app; app()", "serve", "--dir", str(self.directory)]
        self.process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.address = json.loads(line)

    def connect(self, who: str = "steward") -> gateway.Gateway:
        tls_ca = Path(str(self.address["tls_ca"])).read_bytes()
        return gateway.connect(f"{self.address['host']}:{self.address['port']}", tls_ca, self.identities[who])

    def stop(self, how: int = signal.SIGTERM) -> str:
        """Stop the process and return what it logged."""
        if self.process is None or self.process.returncode is not None:
            return ""
        os.kill(self.process.pid, how)
        _, log = self.process.communicate(timeout=20)
        return log


def found(directory: Path) -> Server:
    authorities = {name: Authority.create(name, f"ca.{name}") for name in [*HOSPITALS, "InstituteMSP"]}
    genesis = create(directory, authorities, HOSPITALS, ["InstituteMSP"])
    identities = {
        "steward": authorities["AlphaMSP"].issue("steward", ["steward"]),
        "registrar": authorities["AlphaMSP"].issue("registrar", ["registrar"]),
        "beta": authorities["BetaMSP"].issue("steward", ["steward"]),
        "researcher": authorities["InstituteMSP"].issue("researcher", ["researcher"]),
    }
    return Server(directory, authorities, genesis, identities)


def members() -> dict[str, object]:
    def organisation(msp: str, kind: str, roles: list[str]) -> dict[str, object]:
        return {"msp": msp, "name": msp, "kind": kind, "roles": sorted(roles), "origins": []}

    hospitals = [organisation(each, "hospital", ["peer", "registrar", "site", "steward"]) for each in HOSPITALS]
    return {"organisations": [*hospitals, organisation("InstituteMSP", "institute", ["auditor", "researcher", "runner"])]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = found(tmp_path / "ledger")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running ledger for a module, members found."""
    made = found(tmp_path_factory.mktemp("shared") / "ledger")
    made.start()
    with made.connect() as door:
        door.contract.submit("members:Found", members())
    yield made
    made.stop()


def now() -> int:
    return int(time.time())
