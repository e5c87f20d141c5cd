"""The ledgers that the contract suite runs on: env COVENANT_TEST_LEDGERS, a list of `memory`, `embedded`, `fabric`.

A ledger here is anything with `submit(who, function, arguments, evidence=None)`, `evaluate(who, function, arguments)`,
`now` and `mark()` (equal before and after when nothing was written). `who` is "<msp>.<role>".
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ledger import gateway
from ledger.embedded.create import create
from ledger.embedded.process import Process
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity
from tests.contract.memory import MemoryLedger
from tests.contract.world import HOSPITALS, INSTITUTE, World
from tests.support import fabric

LEDGERS = os.environ.get("COVENANT_TEST_LEDGERS", "memory,embedded,fabric").split(",")
CHANNEL = "covenant"
INSTITUTES = (INSTITUTE, "NewcomerMSP", "StrangerMSP")  # of the channel; two are no members of the consortium (yet)
Connect = Callable[[str, Identity], gateway.Gateway]  # (MSP id, who) -> the door that this organisation uses


def at(process: Process) -> Connect:
    """The one door of an embedded ledger."""
    return lambda _, who: gateway.connect(process.address, process.tls_ca, who, channel=CHANNEL)


class GatewayLedger:
    """A ledger behind the gateway client: each `who` gets a certificate and a connection of its own.

    `peers`: the organisations whose peers must all have a block before the next call. Tests read at one hospital what
    they wrote at another a moment ago, and hospitals that stand at different blocks endorse different things.
    """

    def __init__(self, connect: Connect, authorities: dict[str, Authority], peers: tuple[str, ...] = ()) -> None:
        self._connect, self._authorities, self._peers = connect, authorities, peers
        self._doors: dict[str, gateway.Gateway] = {}

    @property
    def now(self) -> int:
        return int(time.time())

    def submit(self, who: str, function: str, arguments: Any, evidence: Any = None) -> Any:
        done = self._door(who).contract.submit(function, arguments, evidence=evidence)
        for peer in self._peers:
            self._door(f"{peer}.steward").commit(done.tx_id).status()
        return done.result

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
            self._doors[who] = self._connect(organisation, identity)
        return self._doors[who]


def embedded(directory: Path) -> Iterator[GatewayLedger]:
    """A real embedded ledger in its own process, with new organisations."""
    authorities = {msp: Authority.create(msp, f"ca.{msp}") for msp in (*HOSPITALS, *INSTITUTES)}
    create(directory, authorities, HOSPITALS, INSTITUTES, CHANNEL)
    with Process.start(directory) as process:
        ledger = GatewayLedger(at(process), authorities)
        yield ledger
        ledger.close()


def on_fabric(directory: Path) -> Iterator[GatewayLedger]:
    """A real Fabric network: a peer, an orderer and a host of the contracts for each hospital."""
    fabric.require()
    with fabric.running(directory, HOSPITALS, INSTITUTES) as network:
        folders = {each.msp: network.layout.folder(each) for each in network.plan.organisations}
        authorities = {msp: Authority.load(folder / "ca") for msp, folder in folders.items()}
        ledger = GatewayLedger(partial(fabric.connect, network), authorities, HOSPITALS)
        yield ledger
        ledger.close()


@pytest.fixture(scope="session", params=LEDGERS)
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryLedger()
    else:
        made = embedded if request.param == "embedded" else on_fabric
        yield from made(tmp_path_factory.mktemp("contract") / request.param)


@pytest.fixture(scope="session")
def world(ledger: Any) -> World:
    """The consortium, founded once a ledger; tests share it and use ids of their own."""
    world = World(ledger)
    world.found()
    return world
