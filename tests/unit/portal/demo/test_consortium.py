"""The founding of a demo's consortium: killed at any of its files, it is founded all the same by the next run."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.identity.msp import Identity
from portal.config import IDENTITIES
from portal.demo.consortium import found, role_of
from portal.demo.layout import SITES, Layout

ROOT = Path(__file__).parents[4]
# Founds in a process of its own that is killed once it has opened a certain file and before a byte is in it: from then
# on the kernel lets it write to none.
KILLED = """
import os, resource, signal, sys
from pathlib import Path
from portal.demo.consortium import found
from portal.demo.layout import Layout

layout, wanted = Layout(Path(sys.argv[1])), Path(sys.argv[2])
choices = layout.choose(port=None, seed=None, epsilon=None, rounds=None)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)

def watch(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT:
        path = Path(str(arguments[0]))
        if path.parent == wanted.parent and path.name.removeprefix(".").startswith(wanted.name):
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

sys.addaudithook(watch)
found(layout, choices)
"""
FILES = (
    "cleveland/ca/ca.key",
    "hungary/identities/site/keystore/key.pem",
    "hub/secret.key",
    "cleveland/encryption.key",
    "ledger/tls/server.key",
    "ledger/genesis.new",
)


@pytest.mark.parametrize("file", FILES)
def test_a_founding_that_was_killed_at_a_file_is_made_by_the_next_run(file: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(tmp_path / file)]
    killed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert killed.returncode == -signal.SIGXFSZ, killed.stderr
    assert not (layout.ledger / "genesis.block").exists()
    found(layout, layout.choose(port=None, seed=None, epsilon=None, rounds=None))
    assert (layout.ledger / "genesis.block").read_bytes()
    for site in SITES:
        for role in IDENTITIES[role_of(site)]:
            identity = Identity.load(layout.node(site) / "identities" / role)
            assert identity.msp_id == site.msp
        keys = [*layout.node(site).glob("*.key")]
        assert len(keys) == (1 if role_of(site) == "hub" else 2)
        for key in keys:
            assert len(key.read_bytes()) >= 32 and stat.S_IMODE(key.stat().st_mode) == 0o600
