"""Helper processes: the answers are those of the function, whatever becomes of the process that was asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from ledger.contracts.sealed import batched
from ledger.embedded.helpers import Helpers
from ledger.errors import Refused
from tests.contract.world import TEXT, Patient
from tests.unit.ledger.embedded.harness import HOSPITALS, members

ROOT = Path(__file__).parents[4]
PATIENCE = 60.0  # seconds


def answer(kind: str) -> object:
    """What a helper is asked to do: by name, since it is another process."""
    if kind == "pid":
        return os.getpid()
    if kind == "refusal":
        return Refused("consents.malformed", "said as an answer", index=3)
    if kind == "error":
        raise Refused("consents.malformed", "raised", index=3)
    return kind


@pytest.fixture
def helpers():
    made = Helpers(1)
    yield made
    made.shutdown()


def test_the_work_is_done_in_another_process_that_stays(helpers):
    pids = {helpers.submit(answer, "pid").result() for _ in range(3)}
    assert len(pids) == 1 and os.getpid() not in pids


def test_errors_cross_as_they_are(helpers):
    said = helpers.submit(answer, "refusal").result()
    assert isinstance(said, Refused) and (said.code, said.context) == ("consents.malformed", {"index": 3})
    with pytest.raises(Refused) as caught:
        helpers.submit(answer, "error").result()
    assert caught.value.context == {"index": 3}


def test_a_helper_that_was_killed_costs_no_answer(helpers):
    first = helpers.submit(answer, "pid").result()
    os.kill(first, signal.SIGKILL)
    gone(first)
    assert helpers.submit(answer, "pid").result() == os.getpid()  # done here
    assert helpers.submit(answer, "pid").result() not in {first, os.getpid()}


def test_a_helper_that_babbles_is_not_listened_to_again(helpers, monkeypatch):
    monkeypatch.setattr("ledger.embedded.helpers.COMMAND", [sys.executable, "-c", "print('no pickle', flush=True)"])
    assert helpers.submit(answer, "first").result() == "first"
    monkeypatch.undo()
    assert helpers.submit(answer, "pid").result() != os.getpid()


def test_none_outlives_who_began_it(tmp_path):
    program = (
        "from ledger.embedded.helpers import Helpers\n"
        "from tests.unit.ledger.embedded.test_helpers import answer\n"
        "import time\n"
        "print(Helpers(1).submit(answer, 'pid').result(), flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
    gone(pid)


def test_only_a_large_batch_begins_them_and_they_end_with_the_ledger(server):
    with server.connect() as door:
        door.contract.submit("members:Found", members())
        text = {"text": TEXT, "digests": {"en": "00" * 32}, "presets": ["heart-disease"]}
        door.contract.submit("consents:PublishText", text)
    process = psutil.Process(server.process.popen.pid)
    with server.connect("registrar") as door:
        record(door, grants(10))
        assert not process.children()
        forged = grants(200)
        forged[150] = replace(forged[150], signature=forged[7].signature)
        with pytest.raises(Refused) as caught:
            record(door, forged)
        assert caught.value.code == "consents.signature-invalid" and "entry 150 " in caught.value.message
        pids = [child.pid for child in process.children()]
        assert pids
        record(door, grants(200))
    assert server.process.stop() == 0
    for pid in pids:
        gone(pid)


def grants(count: int) -> list[Any]:
    return sorted((Patient(HOSPITALS[0]).grant() for _ in range(count)), key=lambda one: one.commitment)


def record(door: Any, batch: list[Any]) -> None:
    arguments = batched(one.sealed() for one in batch)
    door.contract.submit("consents:RecordBatch", arguments, evidence=[one.evidence() for one in batch])


def gone(pid: int) -> None:
    """Wait until there is no such process (a zombie that nobody has asked after yet is none)."""
    end = time.monotonic() + PATIENCE
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, f"{pid} still runs"
        time.sleep(0.02)
