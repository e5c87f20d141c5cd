"""One run a study: taken once, free again when its holder is gone, lost when somebody else has it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from datetime import timedelta

import psutil
import pytest
from django.utils import timezone

from consent.errors import CovenantError
from portal.errors import PortalError
from portal.grid import hub, leases
from portal.grid.models import State, StudyRun

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def study():
    made = str(uuid.uuid4())
    StudyRun.objects.create(study=made)
    return made


def standing(study):
    return StudyRun.objects.get(study=study)


def test_it_is_held_while_the_block_runs_and_free_after(study):
    with leases.held(study) as alive:
        alive()
        assert leases.is_held(standing(study)) and standing(study).holder == leases.holder()
    assert not leases.is_held(standing(study)) and standing(study).holder == ""


def test_a_living_holder_keeps_it(study):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        held_by(study, other.pid)
        with pytest.raises(PortalError, match=r"hub\.study-held"), leases.held(study):
            pass
    finally:
        other.kill()
        other.wait()
    with leases.held(study):  # its process is gone: no need to wait for the lease to run out
        assert standing(study).holder == leases.holder()


def held_by(study, pid, until=timedelta(minutes=1), host=None):
    host = host or leases.holder().partition(":")[0]
    name = f"{host}:{pid}:{psutil.Process(pid).create_time():.2f}"
    StudyRun.objects.filter(study=study).update(holder=name, held_until=timezone.now() + until)


def test_a_holder_on_another_machine_keeps_it_until_it_runs_out(study):
    held_by(study, os.getpid(), host="elsewhere")
    with pytest.raises(PortalError, match=r"hub\.study-held"), leases.held(study):
        pass
    held_by(study, os.getpid(), until=-timedelta(seconds=1), host="elsewhere")
    with leases.held(study):
        pass


def test_a_reused_process_number_is_another_process(study):
    held_by(study, os.getpid())
    run = standing(study)
    assert not leases.gone(run.holder)
    assert leases.gone(run.holder.rpartition(":")[0] + ":1.00") and leases.gone("x" * 5) is False


def test_who_lost_the_lease_is_told(study, monkeypatch):
    monkeypatch.setattr(leases, "LEASE", timedelta(seconds=0.2))
    with leases.held(study) as alive:
        StudyRun.objects.filter(study=study).update(holder="elsewhere:1:1.00")
        deadline = timezone.now() + timedelta(seconds=10)
        with pytest.raises(PortalError, match=r"hub\.lease-lost"):
            while timezone.now() < deadline:
                alive()
    assert standing(study).holder == "elsewhere:1:1.00"


def test_a_study_nobody_asked_for_is_not_run():
    with pytest.raises(PortalError, match=r"hub\.study-unknown"), leases.held(str(uuid.uuid4())):
        pass


def test_asked_twice_it_is_one_run_and_a_failed_one_goes_on(monkeypatch):
    sent = []
    monkeypatch.setattr(hub, "send", sent.append)
    study = str(uuid.uuid4())
    hub.start_study(study)
    hub.start_study(study)
    assert StudyRun.objects.filter(study=study).count() == 1 and sent == [study, study]
    StudyRun.objects.filter(study=study).update(state=State.FAILED, reason="studies.entitlement-missing", tries=20)
    hub.start_study(study)
    assert (standing(study).state, standing(study).reason, standing(study).tries) == (State.QUEUED, "", 0)


@pytest.mark.parametrize(
    ("raised", "state", "reason"),
    [
        (CovenantError("portal.ledger-unavailable", "away"), State.QUEUED, "portal.ledger-unavailable"),
        (CovenantError("studies.entitlement-missing", "revoked"), State.FAILED, "studies.entitlement-missing"),
        (ValueError("patient Canary McCanary"), State.FAILED, "hub.failed"),
    ],
)
def test_how_a_run_ended_is_noted_without_details(study, monkeypatch, raised, state, reason):
    def finish(*_):
        raise raised

    monkeypatch.setattr(hub, "finish", finish)
    hub.run(study)
    run = standing(study)
    assert (run.state, run.reason, run.holder) == (state, reason, "")
    assert "Canary" not in run.message


def test_a_study_that_never_meets_its_ledger_is_given_up(study, monkeypatch):
    def finish(*_):
        raise CovenantError("portal.ledger-unavailable", "away")

    monkeypatch.setattr(hub, "finish", finish)
    for _ in range(hub.TRIES + 1):
        hub.run(study)
    assert standing(study).state == State.FAILED


def test_a_finished_study_is_not_run_again(study, monkeypatch):
    runs = []
    monkeypatch.setattr(hub, "finish", lambda *given: runs.append(given))
    hub.run(study)
    hub.run(study)
    assert standing(study).state == State.FINISHED and len(runs) == 1
