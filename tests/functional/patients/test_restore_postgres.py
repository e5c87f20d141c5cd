"""A hospital on PostgreSQL: its backup is pg_dump's, and `covenant restore --after` makes up for what it missed.

A real server, a real dump and a real ledger with this hospital's committed cohorts, one from before the dump, one from
after it. The second is lost for ever, and the site says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from ledger.embedded.create import create
from ledger.embedded.process import Process
from ledger.identity.ca import Authority
from tests.contract.conftest import GatewayLedger, at
from tests.contract.world import HOSPITALS, INSTITUTE, World, wanted
from tests.functional.node import ROLES, make_node
from tests.support import postgres

ROOT = Path(__file__).parents[3]
ALPHA = HOSPITALS[0]
FREEZE = """
from portal.patients.models import Cohort
Cohort.objects.create(**{place}, kind="training", bucket="50-99", seed=b"s" * 32)
"""
SITE = """
from portal.grid.stores import Cohorts
from training.errors import TrainingError
from training.site.stores import Attempt
try:
    found = Cohorts().frozen(Attempt(STUDY, 1, 1, "training")).root
except TrainingError as error:
    found = error.code
print(found)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A throw-away PostgreSQL's URL, without the database's name."""
    with postgres.running() as url:
        if url is None:
            reason = "PostgreSQL is not installed"
            pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
        yield url


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Process, dict[str, Authority]]]:
    authorities = {msp: Authority.create(msp, f"ca.{msp}") for msp in (*HOSPITALS, INSTITUTE)}
    directory = tmp_path_factory.mktemp("restore") / "ledger"
    create(directory, authorities, HOSPITALS, [INSTITUTE])
    with Process.start(directory) as process:
        ledger = GatewayLedger(at(process), authorities)
        made = World(ledger)
        made.found()
        yield made, process, authorities
        ledger.close()


@pytest.fixture
def node(server, world, tmp_path) -> Path:
    """Alpha's node, on an empty database of its own."""
    _, process, authorities = world
    sql(server, "DROP DATABASE IF EXISTS alpha WITH (FORCE)", "CREATE DATABASE alpha")
    folder = tmp_path / "alpha"
    tls = tmp_path / "tls.pem"
    tls.write_bytes(process.tls_ca)
    file = make_node(
        folder,
        "hospital",
        name="alpha",
        msp=ALPHA,
        database=server.replace("@/postgres?", "@/alpha?"),
        ledger={"address": process.address, "tls_ca": str(tls)},
    )
    for role in ROLES["hospital"]:
        authorities[ALPHA].issue(role, [role]).save(folder / role)
    manage(file, "migrate", "-v0")
    return file


def test_what_came_after_the_dump_is_lost_and_the_rest_is_back(node, server, world, tmp_path):
    shell(node, "from portal.patients.services import enrol; enrol([('row-7',)])")
    before = round_with_a_cohort(world[0], node)
    dump(server, tmp_path / "alpha.dump")
    after = round_with_a_cohort(world[0], node)
    shell(node, "from portal.patients.services import enrol; enrol([('row-8',)])")

    sql(server, "DROP DATABASE alpha WITH (FORCE)", "CREATE DATABASE alpha")
    load(server, tmp_path / "alpha.dump")
    assert "; 1 attempts are marked lost" in covenant(node, "restore", "--after")
    assert asked_for(node, before) == before["root"]
    assert asked_for(node, after) == "site.attempt-lost"
    assert "[('row-7',)]" in shell(
        node, "from portal.patients.models import Patient; print([one.record_ids for one in Patient.objects.all()])"
    )
    assert "; 0 attempts are marked lost" in covenant(node, "restore", "--after")
    assert asked_for(node, after) == "site.attempt-lost"


def test_a_backup_of_ours_is_refused_with_the_way_to_make_one(node, tmp_path):
    said = covenant(node, "backup", str(tmp_path / "alpha.backup"), code=1)
    assert "backup.engine" in said and "pg_dump" in said
    assert not list(tmp_path.glob("alpha.backup*"))
    assert "backup.engine" in covenant(node, "restore", str(tmp_path / "alpha.backup"), code=1)


def round_with_a_cohort(world: World, node: Path) -> dict[str, Any]:
    """A round open on the ledger, this hospital's cohort committed and, as the site does it, kept before that."""
    study = world.approved((ALPHA, HOSPITALS[1]), rounds=1)
    world.open(study, 1)
    cohort = world.commit(ALPHA, study, 1)
    source = next(one for one in study["plan"]["datasets"] if one["dataset"].startswith(f"{ALPHA}/"))
    place = {"study": study["study"], "round": 1, "attempt": 1, "root": cohort["root"]}
    shell(node, FREEZE.format(place={**place, "dataset": wanted(source)["dataset"]}))
    return place


def asked_for(node: Path, place: dict[str, Any]) -> str:
    """The root that the site finds kept for the attempt, or the code with which it refuses it."""
    return shell(node, f"STUDY = {place['study']!r}\n{SITE}").splitlines()[-1]


def dump(server: str, file: Path) -> None:
    program("pg_dump", server, "--format", "custom", "--dbname", "alpha", stdout=file)


def load(server: str, file: Path) -> None:
    program("pg_restore", server, "--exit-on-error", "--dbname", "alpha", str(file))


def program(name: str, server: str, *arguments: str, stdout: Path | None = None) -> None:
    """One of PostgreSQL's own programs on the server."""
    folder = postgres.programs()
    assert folder is not None
    command = [str(folder / name), "--username", "postgres", "--host", parse_qs(urlsplit(server).query)["host"][0]]
    done = subprocess.run([*command, *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    if stdout:
        stdout.write_bytes(done.stdout)


def sql(server: str, *commands: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        for command in commands:
            connection.execute(command)  # type: ignore[arg-type]


def manage(node: Path, *command: str) -> str:
    return run(node, "portal.manage", *command)


def shell(node: Path, code: str) -> str:
    return manage(node, "shell", "-v0", "-c", code)


def covenant(node: Path, *command: str, code: int = 0) -> str:
    return run(node, "covenant", *command, code=code)


def run(node: Path, module: str, *command: str, code: int = 0) -> str:
    env = {**os.environ, "COVENANT_NODE": str(node), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    done = subprocess.run(
        [sys.executable, "-m", module, *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr
