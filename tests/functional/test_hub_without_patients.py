"""The hub's process has no patients' tables, no key to a store, and gets nothing out of a hospital's database file.

Where hub and hospital run as different users of one machine, it cannot even open the file: nothing that a hospital's
processes write can be read by anybody else. Where they run as one user (the demo), what is left is the encryption.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.functional.node import make_node

ROOT = Path(__file__).parents[2]
HOSPITAL = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from portal.patients import services
from portal.patients.models import Key
patient = services.enrol([("row-7331",)])[0]
grant = services.give(patient=patient, preset="heart-disease", valid_from=services.this_month(), valid_until="2040-01")
plain = [b"row-7331", bytes(Key.objects.get().private), bytes(grant.secret), bytes(grant.code), bytes(grant.details)]
print(json.dumps([one.hex() for one in plain]))
"""
HUB = """
from django.apps import apps
from django.conf import settings
from django.db import connection
from portal.errors import PortalError
from portal.patients import vault
found = {"apps": [app.name for app in apps.get_app_configs()], "key_file": str(settings.NODE.encryption_key_file)}
try:
    import portal.patients.models
except RuntimeError as error:
    found["models"] = str(error)
with connection.cursor() as cursor:
    cursor.execute("SELECT g.secret, g.code, g.details, k.private, p.sealed_records FROM patients_grant g "
                   "JOIN patients_patient p ON g.patient_id = p.id JOIN patients_key k ON k.patient_id = p.id")
    kept = [bytes(value) for value in cursor.fetchone()]
found["kept"], found["refused"] = [value.hex() for value in kept], []
for value in kept:
    try:
        vault.unseal(value)
    except PortalError as error:
        found["refused"].append(error.code)
print(json.dumps(found))
"""


OPENED = """
import json, os, sys
found = []
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        try:
            open(os.path.join(folder, name), "rb").close()
            found.append(name)
        except PermissionError:
            pass
print(json.dumps(sorted(found)))
"""
KEPT = """
from pathlib import Path
from django.conf import settings
from portal.grid.folders import attempts_folder, vectors_folder
from training.site.attempts import FileAttempts, FileVectors
from training.site.stores import Attempt
import numpy as np
attempt = Attempt("study", 1, 1, "training")
FileAttempts(attempts_folder()).start(attempt)
FileAttempts(attempts_folder()).keep(attempt, b"noised")
FileVectors(vectors_folder()).put(np.zeros(3, dtype=np.float32))
(Path(settings.NODE.data) / "anything.csv").write_text("id,age\\n")
"""
NOBODY = "65534"


def run(node: Path, code: str) -> object:
    """What `code` prints, as JSON, in a process of the node; it is started as generous as an account usually is."""
    env = {**os.environ, "COVENANT_NODE": str(node), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    program = f"import json, django\ndjango.setup()\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=False, umask=0o022
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """A hospital's database file with one patient and one consent, and what in it is secret."""
    folder = tmp_path_factory.mktemp("store") / "hospital"
    file = folder / "node.sqlite"
    node = make_node(folder, "hospital", database=f"sqlite:///{file}")
    return file, [bytes.fromhex(one) for one in run(node, HOSPITAL)]


@pytest.fixture(scope="module")
def seen(store: tuple[Path, list[bytes]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a hub whose settings name the hospital's database file sees."""
    node = make_node(tmp_path_factory.mktemp("hub") / "hub", "hub", database=f"sqlite:///{store[0]}")
    return run(node, HUB)


def test_the_hub_has_no_app_that_knows_patients_and_no_key(seen):
    assert not [name for name in seen["apps"] if "patients" in name]
    assert "INSTALLED_APPS" in seen["models"] and seen["key_file"] == "None"


def test_a_hospitals_file_gives_the_hub_ciphertext(seen, store):
    _, secrets = store
    assert len(seen["kept"]) == 5 and seen["refused"] == ["config.no-store"] * 5
    for value in seen["kept"]:
        assert bytes.fromhex(value).startswith(b"gAAAAA")  # a Fernet token: version 0x80, in base64
        assert all(secret not in bytes.fromhex(value) for secret in secrets)


def test_no_secret_lies_in_the_file_in_plain(store):
    file, secrets = store
    kept = b"".join(part.read_bytes() for part in file.parent.glob("node.sqlite*"))
    assert b"heart-disease" in kept and not [secret for secret in secrets if secret in kept]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user of this machine can enter."""
    folder = Path(tempfile.mkdtemp(prefix="covenant-users-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="starting a process as another user needs root")
def test_a_hub_of_another_user_opens_no_file_of_the_hospital(reachable: Path, program: Callable[..., str]) -> None:
    """Every folder stands open to all, as careless as can be; the files do not."""
    node = make_node(reachable / "hospital", "hospital")
    node.chmod(0o600)
    run(node, HOSPITAL + KEPT + "print(0)")
    for folder in (reachable / "hospital").rglob("*"):
        if folder.is_dir():
            folder.chmod(0o755)
    (reachable / "hospital").chmod(0o755)
    (reachable / "hospital" / "notice.txt").touch()
    (reachable / "hospital" / "notice.txt").chmod(0o644)

    def opened() -> list[str]:
        python = str(Path(sys.executable).resolve())
        user = [program("setpriv"), "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
        command = [*user, python, "-I", "-S", "-c", OPENED, str(reachable)]
        found: list[str] = json.loads(subprocess.run(command, check=True, capture_output=True, cwd="/").stdout)
        return found

    assert {"node.sqlite", "store.key", "anything.csv", "result"} <= {one.name for one in reachable.rglob("*")}
    assert opened() == ["notice.txt"]
    (reachable / "hospital" / "node.sqlite").chmod(0o644)
    assert opened() == ["node.sqlite", "notice.txt"]  # what the mode was for
