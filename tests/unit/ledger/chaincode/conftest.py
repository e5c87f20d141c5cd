"""A host in its own process, as a hospital runs it, and the peer's side of its stream."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.contracts import host
from ledger.identity import files
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity
from tests.contract.memory import MemoryLedger
from tests.contract.world import HOSPITALS, World
from tests.unit.ledger.chaincode.peer import Peer

ROOT = Path(__file__).parents[4]
PACKAGE = "covenant_0.1.0:" + "ab" * 32


@dataclass
class Host:
    """A folder with a configuration, and the process that serves it. `settings` may be changed before `start`."""

    folder: Path
    authority: Authority
    settings: dict[str, Any]
    popen: subprocess.Popen[str] | None = None
    addresses: dict[str, Any] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return (self.folder / "host.log").read_text()

    def start(self) -> Host:
        (self.folder / "host.json").write_text(json.dumps(self.settings))
        command = [sys.executable, "-m", "ledger.chaincode", "serve", "--config", str(self.folder / "host.json")]
        with (self.folder / "host.log").open("ab") as log:
            self.popen = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        self.addresses = json.loads(line) if line else {}
        return self

    def stop(self) -> int:
        assert self.popen is not None
        self.popen.terminate()
        self.popen.communicate(timeout=60)
        return self.popen.returncode

    def peer(self, state: dict[str, bytes] | None = None, **options: Any) -> Peer:
        """A peer of this hospital, registered."""
        key, certificate = issue(self.authority, "peer")
        private = self.folder / "peer.key"
        files.write_key(private, key)
        credentials = grpc.ssl_channel_credentials(self.authority.pem, private.read_bytes(), certificate)
        peer = Peer(self.addresses["listen"], credentials, {} if state is None else state, **options)
        assert peer.registered.result(10) == PACKAGE
        return peer

    def page(self, name: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://{self.addresses['metrics']}{name}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()


def issue(authority: Authority, name: str, days: int = 365) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """A TLS key and certificate (PEM) for this machine, either end of a connection."""
    key = ec.generate_private_key(ec.SECP256R1())
    begin = datetime.now(UTC) - timedelta(days=30)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=30 + days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return key, certificate.public_bytes(Encoding.PEM)


def wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def prepare(folder: Path) -> Host:
    authority = Authority.create("AlphaMSP", "tls.alpha")
    key, certificate = issue(authority, "host")
    files.write_key(folder / "tls" / "host.key", key)
    files.write(folder / "tls" / "host.pem", certificate)
    files.write(folder / "tls" / "ca.pem", authority.pem)
    settings = {
        "listen": "127.0.0.1:0",
        "package_id": PACKAGE,
        "digest": host.source_digest(),
        "hospitals": list(HOSPITALS),
        "tls": {"certificate": "tls/host.pem", "key": "tls/host.key", "peer_ca": "tls/ca.pem"},
        "metrics": "127.0.0.1:0",
    }
    return Host(folder, authority, settings)


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[Host]:
    """A host that has not been started."""
    made = prepare(tmp_path)
    yield made
    if made.popen is not None and made.popen.poll() is None:
        made.stop()


@pytest.fixture
def serving(prepared: Host) -> Host:
    return prepared.start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One running host for a module."""
    made = prepare(tmp_path_factory.mktemp("host")).start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def founded() -> dict[str, bytes]:
    """The state of a consortium that has been founded."""
    ledger = MemoryLedger(now=int(time.time()))
    World(ledger).found()
    return ledger.state


@pytest.fixture(scope="session")
def hospital() -> Authority:
    return Authority.create(HOSPITALS[0], "ca.alpha")


@pytest.fixture(scope="session")
def registrar(hospital: Authority) -> Identity:
    return hospital.issue("Clerk Canary", ["registrar", "steward"])
