"""A hospital's node and a hub for tests: settings files, keys and identity folders, in one temporary directory.

`COVENANT_TEST_DATABASE` names a PostgreSQL database; without it the tests run on SQLite.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path

import django
from cryptography.fernet import Fernet

HOSPITAL, INSTITUTE = "ClevelandMSP", "InstituteMSP"
SEAT = {"country": "US", "sector": "public"}  # of every member
HOSPITALS = (HOSPITAL, "HungaryMSP", "LongBeachMSP", "SwitzerlandMSP")
ROLES = {"hospital": ("registrar", "steward", "site"), "hub": ("researcher", "runner", "auditor")}
NODES = {
    "hospital": {"name": "cleveland", "msp": HOSPITAL, "title": "Cleveland Clinic", "host": "cleveland.localhost"},
    "hub": {"name": "hub", "msp": INSTITUTE, "title": "Heart Research Institute", "host": "hub.localhost"},
}


def portal_for_tests() -> None:
    """Point COVENANT_NODE and DJANGO_SETTINGS_MODULE at a fresh hospital node, unless a run names its own."""
    if "DJANGO_SETTINGS_MODULE" not in os.environ or "COVENANT_NODE" not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="covenant-node-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["COVENANT_NODE"] = str(make_node(folder / "hospital", "hospital"))
        os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    django.setup()


def make_node(folder: Path, role: str, **changed: object) -> Path:
    """The settings file of a new node of `role`, with its keys (0600) and empty identity folders."""
    for name in (*ROLES[role], "data"):
        (folder / name).mkdir(parents=True)
    write_key(folder / "secret.key", os.urandom(32).hex().encode())
    write_key(folder / "store.key", Fernet.generate_key())
    values = {
        **NODES[role],
        "role": role,
        "port": 8001,
        "database": os.environ.get("COVENANT_TEST_DATABASE", f"sqlite:///{folder}/node.sqlite"),
        "ledger": {"address": "localhost:1", "tls_ca": "tls.pem"},
        "identities": {name: name for name in ROLES[role]},
        "broker": {"url": "redis://localhost:1"},
        "data": "data",
        "secret_key_file": "secret.key",
        **({"encryption_key_file": "store.key"} if role == "hospital" else {}),
        **changed,
    }
    file = folder / "node.json"
    file.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))
    return file


def write_key(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    file.chmod(0o600)
