"""Every transaction writes the same bytes in the same order, whatever the process's hash seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import msgspec
import pytest

from consent import duo
from consent.purpose import Asking
from ledger.contracts import host
from ledger.contracts.sealed import batched
from ledger.errors import Refused
from tests.contract.memory import MemoryLedger
from tests.contract.world import HOSPITALS, INSTITUTE, PURPOSE, Patient, World, fresh, uuid

ALPHA, BETA, DELTA, GAMMA = HOSPITALS
ROOT = Path(__file__).parents[4]
CHILD = Path(__file__).with_name("determinism_child.py")


def scenario() -> MemoryLedger:
    """Every transaction at least once, refusals among them."""
    world = World(ledger := MemoryLedger())
    world.found()
    give_and_take_back(world)
    govern(world)
    count(world)
    study = world.approved(HOSPITALS)
    world.fixed(study, 1, declining=(GAMMA,))
    world.runner("Abort", study, 1, reason="update-missing")
    world.trained(study, 1, 2)
    model = world.trained(study, 2)["model"]
    world.evaluated(study)
    for hospital in HOSPITALS:
        world.confirm(hospital, study, model)
    world.release(study, model)
    ledger.submit(f"{ALPHA}.steward", "budget:Release", {"study": study["study"]})
    stopped = world.approved((ALPHA, BETA))
    ledger.submit(f"{INSTITUTE}.runner", "studies:Stop", {"study": stopped["study"], "reason": "enough"})
    source = stopped["plan"]["datasets"][0]
    ledger.submit(f"{ALPHA}.steward", "catalogue:Retire", {"dataset": source["dataset"], "version": 1})
    revoked = {"request": stopped["plan"]["request"], "dataset": source["dataset"], "version": 1}
    ledger.submit(f"{ALPHA}.steward", "access:Revoke", revoked)
    with pytest.raises(Refused):
        world.propose_study(stopped["plan"])
    close(world)
    return ledger


def close(world: World) -> None:
    promised = Asking(accepts=(duo.RTN,))
    study = world.approved((ALPHA,), quorum=1, purpose=msgspec.structs.replace(PURPOSE, asking=promised))
    world.trained(study, 1)
    world.ledger.submit(f"{INSTITUTE}.runner", "studies:Stop", {"study": study["study"], "reason": "enough"})
    with pytest.raises(Refused):
        world.close_out(study)
    world.receive(ALPHA, study)
    world.close_out(study)
    now, world.ledger.now = world.ledger.now, world.ledger.now + 301 * 86_400
    world.expire(study["plan"]["request"], study["plan"]["datasets"][0])
    world.ledger.now = now


def give_and_take_back(world: World) -> None:
    patient, late, clerk = Patient(), Patient(), Patient()
    world.record(signed := patient.grant())
    world.record(taken := clerk.grant())
    batch = sorted((Patient().grant() for _ in range(5)), key=lambda one: one.commitment)
    arguments = batched(one.sealed() for one in batch)
    evidence = [one.evidence() for one in batch]
    world.ledger.submit(f"{ALPHA}.registrar", "consents:RecordBatch", arguments, evidence)
    for person, grant in ((patient, signed), (late, late.grant())):
        arguments = {"commitment": grant.commitment, "by": "code"}
        world.ledger.submit(f"{BETA}.site", "consents:Withdraw", arguments, grant.withdrawal(code=person.code))
    world.ledger.submit(f"{ALPHA}.registrar", "consents:WithdrawByRegistrar", {"commitment": taken.commitment})
    world.ledger.submit(f"{BETA}.site", "consents:Acknowledge", {"commitments": [taken.commitment]})
    holder = Patient.with_passkey()
    touched = holder.grant()
    world.record(touched)
    lost = {"commitment": touched.commitment, "replacement": fresh()}
    world.ledger.submit(f"{ALPHA}.registrar", "consents:Rekey", lost)
    arguments = {"commitment": touched.commitment, "by": "passkey"}
    evidence = touched.withdrawal(signature=holder.take_back(touched))
    world.ledger.submit(f"{BETA}.site", "consents:Withdraw", arguments, evidence)
    with pytest.raises(Refused):
        world.record(signed)


def govern(world: World) -> None:
    roles = ["site", "steward", "registrar", "peer"]
    newcomer = {"msp": "NewMSP", "name": "New", "kind": "hospital", "roles": roles, "origins": []}
    world.enact({"kind": "set-organisation", "organisation": newcomer})
    proposal = world.propose({"kind": "set-cap", "hospital": ALPHA, "cap": "9"})
    now, world.ledger.now = world.ledger.now, proposal["deadline"]
    world.ledger.submit(f"{BETA}.steward", "governance:Expire", {"proposal": proposal["proposal"]})
    world.ledger.now = now
    world.ledger.submit(f"{GAMMA}.steward", "studies:Pause", {"paused": True})
    world.ledger.submit(f"{GAMMA}.steward", "studies:Pause", {"paused": False})


def count(world: World) -> None:
    dataset = world.register(duo=["DUO:0000007", "DUO:0000021", "DUO:0000046"])
    arguments = {"dataset": dataset["dataset"], "version": 1, "purpose": PURPOSE}
    inquiry = world.ledger.submit(f"{INSTITUTE}.researcher", "access:Inquire", arguments)
    answer = {name: inquiry[name] for name in ("dataset", "version", "purpose_digest", "month")}
    world.ledger.submit(f"{ALPHA}.site", "budget:Answer", answer | {"sigma": "20", "answer": 3})
    with pytest.raises(Refused):
        world.ledger.submit(f"{INSTITUTE}.steward", "members:Found", {"organisations": [], "study": uuid()})


def run_again(lines: str, seed: str) -> bytes:
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(CHILD)]
    done = subprocess.run(command, input=lines.encode(), env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_two_hash_seeds_write_the_same_bytes():
    ledger = scenario()
    called = {call.args[0].decode() for call in ledger.calls}
    assert called >= {name for name, function in host.FUNCTIONS.items() if function.terms.event is not None}
    lines = "".join(
        json.dumps([call.who, call.now, [b64encode(arg).decode() for arg in call.args],
                    call.evidence and b64encode(call.evidence).decode()]) + "\n"
        for call in ledger.calls
    )  # fmt: skip
    first, second = run_again(lines, "1"), run_again(lines, "4711")
    assert first.count(b"\n") == len(ledger.calls)
    assert first == second
