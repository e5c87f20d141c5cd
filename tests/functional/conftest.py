"""The portal over HTTP: Django's client, a real database, and a real embedded ledger in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from msgspec.structs import replace

from ledger.embedded.create import create
from ledger.gateway import connect
from ledger.identity.ca import Authority
from ledger.protocol.block import open_block
from portal import config
from portal import ledger as portal_ledger
from portal.accounts import services as accounts
from portal.config import LedgerAddress, NodeConfig
from portal.errors import LedgerUnavailable
from portal.patients import services, texts
from portal.patients.models import Patient
from portal.reactor import projection
from portal.reactor.models import Position
from tests.functional.node import HOSPITAL, HOSPITALS, INSTITUTE, ROLES, SEAT, make_node
from tests.support.desks import events_of

ROOT = Path(__file__).parents[2]


@dataclass
class LedgerProcess:
    """A founded channel and the process that serves it; it can be stopped and started again on its port."""

    directory: Path
    authorities: dict[str, Authority]
    genesis: str
    process: subprocess.Popen[str] | None = None
    address: dict[str, Any] | None = None

    def start(self) -> None:
        port = str(self.address["port"]) if self.address else "0"
        command = [sys.executable, "-m", "covenant", "ledger", "serve", "--dir", str(self.directory), "--port", port]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = json.loads(self.process.stdout.readline())

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def await_ready(self, seconds: float = 60) -> None:
        """Wait until this process's own connections have found the ledger again."""
        end = time.monotonic() + seconds
        while True:
            try:
                for role in ROLES["hospital"]:
                    portal_ledger.evaluate(role, "members:List", {}, timeout=2)
                return
            except LedgerUnavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    @property
    def place(self) -> LedgerAddress:
        assert self.address is not None
        return LedgerAddress(f"{self.address['host']}:{self.address['port']}", Path(self.address["tls_ca"]))

    def submit(self, role: str, function: str, arguments: dict[str, Any], msp: str = HOSPITAL) -> Any:
        """Write as `role` of `msp`, with a certificate issued for the occasion."""
        who = self.authorities[msp].issue(role, [role])
        with connect(self.place.address, self.place.tls_ca.read_bytes(), who) as gateway:
            return gateway.contract.submit(function, arguments).result


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    """Limits count in the process's memory: each test starts without another's tries."""
    cache.clear()


@pytest.fixture(scope="session")
def ledger_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerProcess]:
    """One ledger for the whole run: members found, the consent text published by every hospital's steward."""
    directory = tmp_path_factory.mktemp("ledger") / "ledger"
    authorities = {name: Authority.create(name, f"ca.{name}") for name in (*HOSPITALS, INSTITUTE)}
    made = LedgerProcess(directory, authorities, create(directory, authorities, list(HOSPITALS), [INSTITUTE]))
    made.start()
    made.submit("steward", "members:Found", {"organisations": organisations()})
    made.submit("steward", "consents:PublishText", texts.publication())
    yield made
    made.stop()


def organisations() -> list[dict[str, Any]]:
    def organisation(msp: str, kind: str, roles: list[str]) -> dict[str, Any]:
        place = addresses.get(msp, {"origins": []}) | SEAT
        return {"msp": msp, "name": msp, "kind": kind, "roles": sorted(roles), **place}

    own = {"origins": ["http://cleveland.localhost:8001"], "rp_id": "cleveland.localhost"}  # as tests.functional.node
    addresses = {HOSPITAL: own}
    hospitals = [organisation(msp, "hospital", ["peer", *ROLES["hospital"]]) for msp in HOSPITALS]
    return [*hospitals, organisation(INSTITUTE, "institute", list(ROLES["hub"]))]


@pytest.fixture(scope="session")
def identities(ledger_process: LedgerProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, NodeConfig]:
    """A hospital's and a hub's configuration, with real identities on the running ledger."""
    made = {}
    for role, msp in (("hospital", HOSPITAL), ("hub", INSTITUTE)):
        node = config.load(make_node(tmp_path_factory.mktemp("nodes") / role, role))
        for name, folder in node.identities.items():
            ledger_process.authorities[msp].issue(name, [name]).save(folder)
        made[role] = replace(node, ledger=ledger_process.place)
    return made


@pytest.fixture
def ledger(settings: Any, identities: dict[str, NodeConfig], ledger_process: LedgerProcess) -> Iterator[LedgerProcess]:
    """The running ledger, with this process as the hospital's node on it."""
    own = settings.NODE
    settings.NODE = replace(own, ledger=ledger_process.place, identities=identities["hospital"].identities)
    yield ledger_process
    portal_ledger.close()


@pytest.fixture
def hub(settings: Any, identities: dict[str, NodeConfig]) -> Iterator[NodeConfig]:
    """This process as the hub: its settings, its pages, its identities."""
    settings.NODE, settings.ROOT_URLCONF = identities["hub"], "portal.urls.hub"
    settings.ALLOWED_HOSTS = ["hub.localhost"]
    portal_ledger.close()
    yield identities["hub"]
    portal_ledger.close()


@pytest.fixture
def catch_up(ledger: LedgerProcess, db: None) -> Callable[[], int]:
    """Bring the mirror up to the ledger's newest block, from whole blocks: one without an event is not waited for."""

    def run() -> int:
        head = portal_ledger.gateway(portal_ledger.reader()).head().height - 1
        reached = Position.objects.first() or Position()
        if reached.block < head:
            blocks = portal_ledger.gateway(portal_ledger.reader()).blocks(max(1, reached.block), head)
            projection.apply([event for data in blocks for event in events_of(open_block(data))])
        return head

    return run


@pytest.fixture
def visitor() -> Callable[..., Client]:
    """A browser at the hospital; signed in when given an account."""

    def visit(user: Any = None, host: str = "cleveland.localhost") -> Client:
        client = Client(headers={"host": host}, enforce_csrf_checks=False)
        if user is not None:
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return visit


@pytest.fixture
def new_patient(db: None) -> Callable[..., Patient]:
    """A new patient with an account."""

    def enrol(username: str | None = None, records: tuple[str, ...] = ("row-1",)) -> Patient:
        patient = services.enrol([records])[0]
        services.open_account(patient=patient, username=username or f"p-{patient.pk.hex[:12]}")
        return patient

    return enrol


@pytest.fixture
def steward(db: None) -> Any:
    return accounts.create_user(username="steward", role="steward")[0]


@pytest.fixture
def as_patient(new_patient: Callable[..., Patient], visitor: Callable[..., Client]) -> tuple[Patient, Client]:
    patient = new_patient()
    return patient, visitor(patient.account)


def pytest_report_header() -> str:
    return f"portal database: {os.environ.get('COVENANT_TEST_DATABASE', 'sqlite')}"
