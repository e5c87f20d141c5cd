"""Whatever dies, the others go on within seconds, and nothing that was confirmed is ever lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger.errors import LedgerError, Refused
from ledger.gateway import Gateway
from tests.chaos.fabric.consortium import Consortium, Load, others, text
from tests.contract.world import HOSPITALS

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
SOAK = bool(os.environ.get("COVENANT_SOAK"))
ROUNDS = 5
BEHIND = 2000 if SOAK else 200  # blocks
ROOM = "96m"


def check_nothing_lost(consortium: Consortium, load: Load) -> None:
    assert not consortium.ended()
    consortium.settled()
    for hospital in HOSPITALS:
        assert load.confirmed.items() <= consortium.valid(hospital).items()


@pytest.mark.parametrize("part", ["peer", "orderer", "host", "hospital"])
def test_each_process_killed_in_turn(consortium: Consortium, part: str) -> None:
    """The last part: peer, orderer and host of a hospital together, all that (n - 1) // 3 of four hospitals have.

    Under soak every hospital's, again and again; else the leader's and one other's.
    """
    leader = consortium.leader()
    with Load(consortium) as load:
        for hospital in HOSPITALS * ROUNDS if SOAK else (leader, others(leader)[0]):
            load.back(HOSPITALS, time.monotonic())
            node = consortium.node(hospital)
            led = consortium.leader() == hospital
            killed = time.monotonic()
            consortium.kill(node.processes if part == "hospital" else node.find(part))
            went_on = load.back(others(hospital), killed)
            consortium.restart(hospital)
            started = time.monotonic()
            own = load.back(HOSPITALS, started)
            counts = consortium.rejoined(hospital)
            print(
                f"{part} of {hospital}{', the leader' * led}: others after {went_on:.1f} s; once started again its own "
                f"after {own:.1f} s, its orderer follows {counts:.1f} s later"
            )
    check_nothing_lost(consortium, load)


def test_a_peer_far_behind_catches_up(consortium: Consortium) -> None:
    hospital = HOSPITALS[1]
    node = consortium.node(hospital)
    away = consortium.height(HOSPITALS[0])
    consortium.kill([node.peer])
    with Load(consortium, others(hospital)) as load:
        while consortium.height(HOSPITALS[0]) < away + BEHIND:
            time.sleep(0.2)
    there = consortium.height(HOSPITALS[0])
    consortium.restart(hospital)
    began = time.monotonic()
    while consortium.height(hospital, patiently=True) < there:
        assert time.monotonic() - began < 180
        time.sleep(0.05)
    print(f"{there - away} blocks behind, caught up in {time.monotonic() - began:.1f} s")
    check_nothing_lost(consortium, load)


@contextmanager
def little_room(data: Path) -> Iterator[None]:
    """`data` on a file system of its own that is small."""
    aside = data.with_name("data.aside")
    data.rename(aside)
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(data)], check=True)
    try:
        shutil.copytree(aside, data, dirs_exist_ok=True)
        yield
    finally:
        shutil.rmtree(aside)
        shutil.copytree(data, aside)
        subprocess.run(["umount", str(data)], check=True)
        data.rmdir()
        aside.rename(data)


def test_a_peer_whose_disk_is_full_stops_alone_and_comes_back(consortium: Consortium) -> None:
    hospital = HOSPITALS[2]
    node = consortium.node(hospital)
    data = consortium.network.layout.folder(node.organisation) / "peer" / "data"
    consortium.network.stop([node], "peer")
    with little_room(data):
        consortium.restart(hospital)
        consortium.called(hospital)
        with Load(consortium) as load:
            load.back(HOSPITALS, time.monotonic())
            ballast = data / "ballast"
            fill(ballast)
            filled = time.monotonic()
            load.back(others(hospital), filled)
            time.sleep(5)
            load.back(others(hospital), time.monotonic())
            stood = consortium.height(hospital, patiently=True)
            print(f"peer {'runs' if node.peer.pid else 'ended'} with a full disk at {stood}: {node.peer.last_words()}")
            ballast.unlink()
            consortium.restart(hospital)
            print(f"with room again, back in {load.back(HOSPITALS, time.monotonic(), 60):.1f} s")
        check_nothing_lost(consortium, load)
        consortium.network.stop([node], "peer")
    consortium.restart(hospital)
    consortium.called(hospital)


def fill(file: Path) -> None:
    """Write zeros until no byte is left."""
    with file.open("wb", buffering=0) as handle:
        size = 1 << 20
        while size:
            try:
                handle.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC
                size //= 2


AHEAD = (
    "import runpy, time; true = time.time; time.time = lambda: true() + 600; "
    "runpy.run_module('ledger.chaincode', run_name='__main__', alter_sys=True)"
)


@pytest.mark.parametrize("seconds", [-600, 600])
def test_a_client_whose_clock_is_off_is_refused(consortium: Consortium, seconds: int) -> None:
    contract = consortium.door(f"{HOSPITALS[0]}.steward").contract
    with pytest.raises(Refused) as refused:
        contract.proposal("consents:PublishText", text(), timestamp=time.time() + seconds).endorse()
    assert refused.value.code == "host.clock-skew"
    for hospital in HOSPITALS:
        consortium.door(f"{hospital}.steward").contract.submit("consents:PublishText", text())


def refusal(door: Gateway) -> str:
    """The code with which a small write is refused, once the peer has found its host again."""
    deadline = time.monotonic() + 60
    while True:
        with pytest.raises(LedgerError) as refused:
            door.contract.submit("consents:PublishText", text(), timeout=20)
        if not refused.value.code.startswith("gateway.") or time.monotonic() > deadline:
            return refused.value.code
        time.sleep(0.2)


def test_a_host_whose_clock_is_off_endorses_nothing_and_the_others_go_on(consortium: Consortium) -> None:
    hospital = HOSPITALS[0]
    node = consortium.node(hospital)
    (host,) = node.find("host")
    config = consortium.network.layout.folder(node.organisation) / "host" / "host-a.json"
    consortium.kill([host])
    host.start([sys.executable, "-c", AHEAD, "serve", "--config", str(config)], {}, Path.cwd())
    node.await_ready(host)
    try:
        for who in others(hospital):
            consortium.door(f"{who}.steward").contract.submit("consents:PublishText", text())
        assert refusal(consortium.door(f"{hospital}.steward", [hospital])) == "host.clock-skew"
        both = consortium.door(f"{hospital}.steward", [hospital]).contract.proposal(
            "consents:PublishText", text(), timestamp=time.time() + 600
        )
        assert both.endorse().submit().status().name == "ENDORSEMENT_POLICY_FAILURE"
    finally:
        consortium.kill([host])
        consortium.restart(hospital)
        consortium.called(hospital)
