"""The ledgers that the contract suite runs on: env COVENANT_TEST_LEDGERS, a list of `embedded` and `memory`.

A ledger here is anything with `submit(who, function, arguments, evidence=None)`, `evaluate(who, function, arguments)`,
`now` and `mark()` (equal before and after when nothing was written). `who` is "<msp>.<role>".
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import gateway
from ledger.embedded.create import create
from ledger.embedded.process import Process
from ledger.identity.ca import Authority
from tests.contract.memory import MemoryLedger
from tests.contract.world import HOSPITALS, INSTITUTE, World

LEDGERS = os.environ.get("COVENANT_TEST_LEDGERS", "memory,embedded").split(",")
CHANNEL = "covenant"


class GatewayLedger:
    """A ledger behind the gateway client: each `who` gets a certificate and a connection of its own."""

    def __init__(self, address: str, tls_ca: bytes, authorities: dict[str, Authority]) -> None:
        self._address, self._tls_ca, self._authorities = address, tls_ca, authorities
        self._doors: dict[str, gateway.Gateway] = {}

    @property
    def now(self) -> int:
        return int(time.time())

    def submit(self, who: str, function: str, arguments: Any, evidence: Any = None) -> Any:
        return self._door(who).contract.submit(function, arguments, evidence=evidence).result

    def evaluate(self, who: str, function: str, arguments: Any) -> Any:
        return self._door(who).contract.evaluate(function, arguments)

    def mark(self) -> object:
        return self._door(f"{HOSPITALS[0]}.steward").head()

    def close(self) -> None:
        for door in self._doors.values():
            door.close()

    def _door(self, who: str) -> gateway.Gateway:
        if who not in self._doors:
            organisation, _, roles = who.partition(".")
            identity = self._authorities[organisation].issue(who.lower(), roles.split(",") if roles else [])
            self._doors[who] = gateway.connect(self._address, self._tls_ca, identity, channel=CHANNEL)
        return self._doors[who]


def embedded(directory: Path) -> Iterator[GatewayLedger]:
    """A real embedded ledger in its own process, with new organisations; two of its channel are not members (yet)."""
    institutes = (INSTITUTE, "NewcomerMSP", "StrangerMSP")
    authorities = {msp: Authority.create(msp, f"ca.{msp}") for msp in (*HOSPITALS, *institutes)}
    create(directory, authorities, HOSPITALS, institutes, CHANNEL)
    with Process.start(directory) as process:
        ledger = GatewayLedger(process.address, process.tls_ca, authorities)
        yield ledger
        ledger.close()


@pytest.fixture(scope="session", params=LEDGERS)
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryLedger()
    else:
        yield from embedded(tmp_path_factory.mktemp("contract") / "ledger")


@pytest.fixture(scope="session")
def world(ledger: Any) -> World:
    """The consortium, founded once a ledger; tests share it and use ids of their own."""
    world = World(ledger)
    world.found()
    return world
