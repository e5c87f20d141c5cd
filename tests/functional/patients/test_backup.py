"""A restored store is the old one, follows the ledger, and never freezes a cohort twice."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from portal.backups import mark_lost
from portal.patients.models import Cohort
from portal.reactor.models import Record
from tests.functional.node import make_node

ROOT = Path(__file__).parents[3]
SETTINGS = "from django.conf import settings"
IMPORTS = f"{SETTINGS}; from portal.patients.models import Cohort; from portal.reactor.models import Record"


@pytest.fixture
def role():
    return "hospital"


@pytest.fixture
def node(role, tmp_path, ledger_process, identities, monkeypatch):
    """A node with a store of its own on the running ledger, used through the command line."""
    monkeypatch.delenv("COVENANT_TEST_DATABASE", raising=False)
    own = identities[role]
    place = ledger_process.place
    file = make_node(
        tmp_path / "node",
        role,
        ledger={"address": place.address, "tls_ca": str(place.tls_ca)},
        identities={role: str(folder) for role, folder in own.identities.items()},
    )
    manage(file, "migrate", "-v0")
    return file


def manage(node: Path, *command: str) -> str:
    return run(node, "portal.manage", *command)


def run(node: Path, module: str, *command: str, code: int = 0) -> str:
    env = {**os.environ, "COVENANT_NODE": str(node)}
    done = subprocess.run(
        [sys.executable, "-m", module, *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_back_up_and_restore(node, tmp_path):
    manage(node, "shell", "-c", "from portal.patients.services import enrol; enrol([('row-7',)])")
    (node.parent / "data" / "heart.csv").write_text("a,b\n")
    file = tmp_path / "store.backup"
    run(node, "covenant", "backup", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "backup.exists" in run(node, "covenant", "backup", str(file), code=1)
    missing = str(tmp_path / "no" / "store.backup")
    assert "backup.directory-missing" in run(node, "covenant", "backup", missing, code=1)
    assert "restore.not-empty" in run(node, "covenant", "restore", str(file), code=1)
    for old in (*node.parent.glob("node.sqlite*"), node.parent / "data" / "heart.csv"):
        old.unlink()
    said = run(node, "covenant", "restore", str(file))
    attempts = "Record.objects.filter(key__startswith='studies/cohort/', key__endswith='/' + settings.NODE.msp)"
    known = manage(
        node, "shell", "-v0", "-c", f"{IMPORTS}; print({attempts}.count(), Cohort.objects.filter(lost=True).count())"
    )
    on_ledger, lost = known.split()[-2:]
    assert on_ledger == lost and f"{lost} attempts" in said  # all that the ledger knows and this store never had
    asked = "from portal.patients.models import Patient; from portal.reactor.selectors import height; "
    asked += "print(Patient.objects.get().record_ids, height() >= 2)"
    assert "('row-7',) True" in manage(node, "shell", "-v0", "-c", asked)
    assert (node.parent / "data" / "heart.csv").read_text() == "a,b\n"


@pytest.mark.parametrize("role", ["hub"])
def test_a_hubs_store_comes_back_though_it_has_no_cohorts_and_no_consents(node, tmp_path):
    file = tmp_path / "store.backup"
    run(node, "covenant", "backup", str(file))
    for old in node.parent.glob("node.sqlite*"):
        old.unlink()
    assert "0 attempts" in run(node, "covenant", "restore", str(file))
    assert "0 attempts" in run(node, "covenant", "restore", "--after")
    asked = "from portal.reactor.selectors import height; print(height() >= 2)"
    assert "True" in manage(node, "shell", "-v0", "-c", asked)
    assert "config.other-role" in run(node, "covenant", "consent", "impact", "0" * 64, code=1)


def test_another_nodes_backup_and_a_cut_one_are_refused(node, tmp_path):
    file = tmp_path / "store.backup"
    run(node, "covenant", "backup", str(file))
    for old in node.parent.glob("node.sqlite*"):
        old.unlink()
    cut = tmp_path / "cut.backup"
    cut.write_bytes(file.read_bytes()[:-200])
    assert "restore.malformed" in run(node, "covenant", "restore", str(cut), code=1)
    cut.write_bytes(file.read_bytes()[:2000] + bytes(8) + file.read_bytes()[2008:])
    assert "restore.malformed" in run(node, "covenant", "restore", str(cut), code=1)
    settings = json.loads(node.read_text())
    node.write_text(json.dumps({**settings, "name": "hungary"}))
    assert "restore.other-node" in run(node, "covenant", "restore", str(file), code=1)
    assert not list(node.parent.glob("node.sqlite"))


def test_the_command_line_backs_up_an_embedded_ledger_and_says_that_it_holds_keys(node, ledger_process, tmp_path):
    file, place = tmp_path / "ledger.backup", tmp_path / "again"
    assert "ALL KEYS" in run(node, "covenant", "backup", str(file), "--ledger", str(ledger_process.directory))
    assert "restored" in run(node, "covenant", "restore", str(file), "--ledger", str(place))
    assert (place / "ledger.sqlite").exists()
    assert "restore.not-empty" in run(node, "covenant", "restore", str(file), "--ledger", str(place), code=1)


@pytest.mark.django_db
def test_an_attempt_that_only_the_ledger_knows_is_lost_for_ever():
    study = str(uuid.uuid4())
    for attempt, msp in ((1, "ClevelandMSP"), (2, "ClevelandMSP"), (3, "HungaryMSP")):
        body = {"root": f"{attempt:064x}", "dataset": "ClevelandMSP/heart"}
        Record.objects.create(key=f"studies/cohort/{study}/1/{attempt}/{msp}", body=body, block=1, tx_id="t")
    Cohort.objects.create(study=study, round=1, attempt=1, kind="training", root=f"{1:064x}", seed=b"s" * 32)
    assert mark_lost() == 1
    assert [(one.attempt, one.lost) for one in Cohort.objects.order_by("attempt")] == [(1, False), (2, True)]
    assert mark_lost() == 0  # nothing new the second time
    assert Cohort.objects.count() == 2
