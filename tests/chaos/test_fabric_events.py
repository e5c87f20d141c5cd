"""Reactors and peers of a real Fabric network killed with -9 under load: each mirror is what a replay makes of it.

The hub turns to another hospital's peer meanwhile; the hospital waits for its own, and nothing there can train.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import LedgerError
from ledger.gateway import Event, Gateway, connect
from ledger.identity.ca import Authority
from ledger.network.network import Network
from ledger.network.plan import Organisation
from portal.config import VARIABLE
from tests.contract.world import Patient
from tests.functional.conftest import organisations
from tests.functional.node import HOSPITALS, INSTITUTE, ROLES, make_node
from tests.support import fabric
from tests.unit.ledger.embedded.wire import TEXT

SOAK = bool(os.environ.get("COVENANT_SOAK"))
TRANSACTIONS, KILLS = (2000, 20) if SOAK else (200, 3)
WRITERS = 8
SECONDS = 120.0  # to catch up in, on a busy machine

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]


@dataclass
class Node:
    """A hospital's or the hub's settings, database and follower."""

    folder: Path
    follower: subprocess.Popen[bytes] | None = None

    def manage(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "portal.manage", *arguments]

    @property
    def env(self) -> dict[str, str]:
        own = {VARIABLE: str(self.folder / "node.json"), "DJANGO_SETTINGS_MODULE": "portal.settings"}
        return {**os.environ, **own}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.manage(*arguments), env=self.env, capture_output=True, text=True, check=False, timeout=120
        )

    def start(self) -> None:
        with (self.folder / "follower.log").open("ab") as log:
            self.follower = subprocess.Popen(self.manage("follow"), env=self.env, stdout=log, stderr=log)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.follower is not None:
            self.follower.send_signal(number)
            self.follower.wait(60)
            self.follower = None

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.folder / 'node.sqlite'}?mode=ro", uri=True, timeout=30)) as store:
            return store.execute(query).fetchall()

    @property
    def events(self) -> list[tuple[Any, ...]]:
        found = self.rows('SELECT block, "index", tx_id, name, body FROM reactor_event ORDER BY block, "index"')
        return [(*place, json.loads(body)) for *place, body in found]

    @property
    def records(self) -> dict[str, Any]:
        return {key: json.loads(body) for key, body in self.rows("SELECT key, body FROM reactor_record")}

    def holds(self, tx_id: str) -> bool:
        return bool(self.rows(f"SELECT 1 FROM reactor_event WHERE tx_id = '{tx_id}'"))  # noqa: S608  # hexadecimal


@dataclass
class Place:
    """A founded network, a hub's node that may use every peer, and the first hospital's node."""

    network: Network
    hub: Node
    hospital: Node
    doors: list[Gateway] = field(default_factory=list)

    def door(self, organisation: Organisation, role: str) -> Gateway:
        """To the organisation's own peer."""
        layout = self.network.layout
        who = Authority.load(layout.folder(organisation) / "ca").issue(role, [role])
        tls = layout.client_tls(organisation)
        shown = ((tls / "server.pem").read_bytes(), (tls / "server.key").read_bytes())
        made = connect(str(organisation.peer), layout.tls_ca(organisation).read_bytes(), who, tls_client=shown)
        self.doors.append(made)
        return made

    def kill_peer(self, organisation: Organisation) -> None:
        assert self.network.node(organisation.name).peer.signal(signal.SIGKILL)

    def start_peer(self, organisation: Organisation) -> None:
        self.network.start([self.network.node(organisation.name)], "peer")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("events")
    with fabric.running(folder / "network", HOSPITALS, [INSTITUTE]) as network:
        first = network.plan.hospitals[0]
        made = Place(network, node(folder / "hub", "hub", network), node(folder / "hospital", "hospital", network))
        try:
            made.door(first, "steward").contract.submit("members:Found", {"organisations": organisations()})
            for each in (made.hub, made.hospital):
                migrated = each.run("migrate", "--noinput", "-v0")
                assert migrated.returncode == 0, migrated.stderr
            yield made
        finally:
            for each in (made.hub, made.hospital):
                each.stop(signal.SIGKILL)
            for door in made.doors:
                door.close()


def node(folder: Path, role: str, network: Network) -> Node:
    """The hub may turn to any peer, the hospital's own first; the hospital has its own alone."""
    layout, peers = network.layout, network.plan.hospitals
    own = peers[0] if role == "hospital" else network.plan.institutes[0]
    first, *others = ({"address": str(each.peer), "tls_ca": str(layout.tls_ca(each))} for each in peers)
    ledger = {**first, "tls_client": str(layout.client_tls(own)), "others": others if role == "hub" else []}
    make_node(folder, role, ledger=ledger, database=f"sqlite:///{folder}/node.sqlite")
    authority = Authority.load(layout.folder(own) / "ca")
    for name in ROLES[role]:
        authority.issue(name, [name]).save(folder / name)
    return Node(folder)


class Load:
    """Writers, each at one hospital, that together bring `count` transactions to the ledger, whatever is killed."""

    def __init__(self, place: Place, count: int, run: str) -> None:
        self.committed = 0
        self._names = iter([f"{run}-{number}" for number in range(count)])
        self._lock = threading.Lock()
        doors = [place.door(each, "steward") for each in place.network.plan.hospitals]
        self.threads = [
            threading.Thread(target=self._write, args=(doors[number % len(doors)],)) for number in range(WRITERS)
        ]
        for each in self.threads:
            each.start()

    def _write(self, door: Gateway) -> None:
        while True:
            with self._lock:
                name = next(self._names, None)
            if name is None:
                return
            self._persist(door, name)
            with self._lock:
                self.committed += 1

    def _persist(self, door: Gateway, name: str) -> None:
        while True:  # its peer may be the one that was killed: what has been written twice counts once
            try:
                door.contract.submit("consents:PublishText", {"text": name, **TEXT}, timeout=20)
                return
            except LedgerError:
                time.sleep(0.2)

    def await_(self, count: int) -> None:
        wait_for(lambda: self.committed >= count, f"{count} transactions")


def wait_for(ready: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.05)


def test_killed_at_random_under_load_each_mirror_is_what_a_replay_makes(place):
    seed = int(os.environ.get("COVENANT_SEED", time.time_ns() % 2**32))
    print(f"seed {seed}, {KILLS} kills during {TRANSACTIONS} transactions")
    chance = random.Random(seed)
    first, *rest = place.network.plan.hospitals
    moments = sorted(chance.sample(range(5, TRANSACTIONS * 9 // 10), KILLS))
    victims = chance.sample(["hub", "hospital", "its peer", "another peer"] * KILLS, KILLS)
    victims[0] = "its peer"  # which the hub follows too: it has to turn to another
    for each in (place.hub, place.hospital):
        each.start()
    load = Load(place, TRANSACTIONS, f"kill-{seed}")
    for moment, victim in zip(moments, victims, strict=True):
        load.await_(moment)
        pause = chance.uniform(0.1, 3.0)
        if victim in ("hub", "hospital"):
            killed = getattr(place, victim)
            killed.stop(signal.SIGKILL)
            time.sleep(pause)
            killed.start()
        else:
            peer = first if victim == "its peer" else chance.choice(rest)
            place.kill_peer(peer)
            time.sleep(pause)
            place.start_peer(peer)
    for each in load.threads:
        each.join(SECONDS)
        assert not each.is_alive()
    done = place.door(rest[0], "steward").contract.submit("consents:PublishText", {"text": f"last-{seed}", **TEXT})
    for each in (place.hub, place.hospital):
        wait_for(lambda each=each: each.holds(done.tx_id), f"the last event at {each.folder.name}")
        each.stop()

    expected = replay(place.door(rest[-1], "steward"), done.tx_id)
    state: dict[str, Any] = {}
    for event in expected:
        state |= json.loads(event.payload)["records"]
    assert {f"consents/text/kill-{seed}-{number}" for number in range(TRANSACTIONS)} < state.keys()
    for each in (place.hub, place.hospital):
        assert each.events == [(e.block, e.index, e.tx_id, e.name, json.loads(e.payload)) for e in expected]
        assert each.records == {key: value for key, value in state.items() if value is not None}
        before = each.events, each.records
        rebuilt = each.run("rebuild_projection")
        assert f"replayed {len(expected)} events" in rebuilt.stdout, rebuilt.stderr
        assert (each.events, each.records) == before


def replay(door: Gateway, last: str) -> list[Event]:
    """All events up to transaction `last`, as another hospital's peer tells them from the start."""
    found = []
    with door.contract.events() as events:
        for event in events:
            found.append(event)
            if event.tx_id == last:
                return found
    raise AssertionError("the stream ended")


CHECK = "from portal.grid.ledgers import Mirror; Mirror().check(); print('goes on')"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_without_its_own_peer_a_hospital_does_nothing_while_the_others_go_on(place, how):
    """A peer that stands still keeps its connections, and says nothing on them."""
    first, second, *_ = place.network.plan.hospitals
    peer = place.network.node(first.name).peer
    checked = place.hospital.run("shell", "-v0", "-c", CHECK)
    assert "goes on" in checked.stdout, checked.stderr
    place.hub.start()
    place.hospital.start()
    assert peer.signal(how)
    try:
        name = f"meanwhile-{how.name.lower()}"
        done = place.door(second, "steward").contract.submit("consents:PublishText", {"text": name, **TEXT})
        wait_for(lambda: place.hub.holds(done.tx_id), "the event at the hub, from another peer", 60)
        checked = place.hospital.run("shell", "-v0", "-c", CHECK)
        assert checked.returncode and "portal.ledger-unavailable" in checked.stderr
        assert not place.hospital.holds(done.tx_id)
    finally:
        peer.signal(signal.SIGCONT)
        place.start_peer(first)
    wait_for(lambda: place.hospital.holds(done.tx_id), "the event at the hospital, from its own peer")
    checked = place.hospital.run("shell", "-v0", "-c", CHECK)
    assert "goes on" in checked.stdout, checked.stderr
    for each in (place.hub, place.hospital):
        each.stop()


def test_a_hub_without_a_peer_hands_in_a_withdrawal_that_a_majority_checks(place):
    """The evidence travels as transient data, which Fabric's gateway shows to its own hospital first."""
    patient = Patient()
    signed = patient.grant()
    arguments = {"commitment": signed.commitment, "by": "code"}
    write = f"""
from portal import ledger
print(ledger.submit("runner", "consents:Withdraw", {arguments!r}, {signed.withdrawal(code=patient.code)!r}).result)
"""
    handed = place.hub.run("shell", "-v0", "-c", write)
    assert "tombstone" in handed.stdout, handed.stderr


def test_a_hospital_whose_own_contracts_are_away_asks_no_other_hospital(place):
    """Fabric's gateway would pass the question on to another hospital's peer."""
    node = place.network.node(place.network.plan.hospitals[0].name)
    ask = "from portal import ledger; print(ledger.evaluate('site', 'members:List', {}))"
    place.network.stop([node], "host")
    try:
        asked = place.hospital.run("shell", "-v0", "-c", ask)
        assert asked.returncode and "portal.ledger-unavailable" in asked.stderr, asked.stdout
        assert "InstituteMSP" in place.hub.run("shell", "-v0", "-c", ask.replace("site", "auditor")).stdout
    finally:
        place.network.start([node], "host")
    wait_for(lambda: "InstituteMSP" in place.hospital.run("shell", "-v0", "-c", ask).stdout, "an answer")
