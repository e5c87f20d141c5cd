"""What was spent is the same after a crash at any moment, a restart, a replay, and on a machine never seen before."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from typing import Any

import grpc
import pytest

from ledger.embedded.create import create
from ledger.embedded.process import Process
from ledger.errors import LedgerError, Refused
from ledger.identity.ca import Authority
from ledger.verify import export, verify
from portal import odometer
from portal.records import Served, Verified
from tests.contract.world import HOSPITALS, INSTITUTE, World, fresh
from tests.support.doors import Doors

ROUNDS = 25 if os.environ.get("COVENANT_SOAK") else 3

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


@pytest.fixture
def doors(tmp_path):
    authorities = {msp: Authority.create(msp, f"ca.{msp}") for msp in (*HOSPITALS, INSTITUTE)}
    create(tmp_path / "ledger", authorities, HOSPITALS, [INSTITUTE])
    made = Doors(tmp_path / "ledger", authorities, Process.start(tmp_path / "ledger"))
    yield made
    made.close()
    made.process.stop()


def spend(doors: Doors, world: World, study: Any, number: int, *, hospital: str, moment: float) -> None:
    """One update, the ledger killed `moment` seconds after it is sent, and the same update again until it stands."""
    update = fresh()
    killer = threading.Timer(moment, doors.process.popen.kill)
    killer.start()
    try:
        doors.door(f"{hospital}.site").contract.submit(
            "studies:Update", {"study": study["study"], "round": number, "attempt": 1, "update": update}, timeout=2
        )
    except (LedgerError, grpc.RpcError) as error:
        assert not isinstance(error, Refused)
    killer.join()
    doors.restart()
    world.site(hospital, "Update", study, number, update=update)


def test_a_spend_is_booked_once_whenever_the_ledger_is_killed(doors, tmp_path):
    seed = int(os.environ.get("COVENANT_SEED", time.time_ns() % 2**32))
    print(f"seed {seed}")
    moments, world = random.Random(seed), World(doors)
    world.found()
    study = world.approved(rounds=ROUNDS)
    for number in range(1, ROUNDS + 1):
        world.fixed(study, number)
        for hospital in HOSPITALS:
            if hospital == HOSPITALS[number % len(HOSPITALS)]:
                spend(doors, world, study, number, hospital=hospital, moment=moments.uniform(0, 0.02))
            else:
                world.site(hospital, "Update", study, number, update=fresh())
            other = {"study": study["study"], "round": number, "attempt": 1, "update": fresh()}
            with pytest.raises(Refused, match=r"studies\.update-known"):
                doors.submit(f"{hospital}.site", "studies:Update", other)
        world.runner("Close", study, number, model=fresh())

    reader = doors.door(f"{INSTITUTE}.auditor")
    standing = odometer.standings(Served(reader.blocks()))
    assert {name: len(one.spent.events) for name, one in standing.items()} == dict.fromkeys(HOSPITALS, ROUNDS)
    asked = doors.door(f"{INSTITUTE}.auditor").contract
    for name, one in standing.items():
        told = asked.evaluate("budget:Account", {"hospital": name})
        assert told["epsilon_spent"] == str(one.spent.gated(one.delta))
        assert told["epsilon_exposure"] == str(one.exposure.gated(one.delta))

    export(reader, tmp_path / "ledger.blocks")
    genesis = (doors.directory / "genesis.sha256").read_text().strip()
    ledger = verify(tmp_path / "ledger.blocks", genesis, workers=1)
    assert odometer.standings(Verified(ledger, ledger.height)) == standing

    doors.close()
    doors.process.stop()
    shutil.copytree(doors.directory, tmp_path / "elsewhere")
    elsewhere = Doors(tmp_path / "elsewhere", doors.authorities, Process.start(tmp_path / "elsewhere"))
    try:
        assert odometer.standings(Served(elsewhere.door(f"{INSTITUTE}.auditor").blocks())) == standing
    finally:
        elsewhere.close()
        elsewhere.process.stop()
