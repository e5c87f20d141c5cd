"""`covenant ledger serve`: says where it listens, and says in one line why it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ledger.embedded.create import create
from ledger.errors import LedgerError
from tests.unit.ledger.embedded.harness import HOSPITALS, found, members

ROOT = Path(__file__).parents[4]


def covenant(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "covenant.py"), "ledger", "serve", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_address_is_recorded_while_it_serves(server):
    address = json.loads((server.directory / "address.json").read_text())
    assert server.process.address == f"{address['host']}:{address['port']}"
    assert address["pid"] == server.process.popen.pid
    assert address["pid_started"] == pytest.approx(psutil.Process(address["pid"]).create_time())
    assert Path(address["tls_ca"]).read_bytes() == server.process.tls_ca
    assert server.process.stop() == 0
    assert not (server.directory / "address.json").exists()


def test_what_is_wrong_is_said_in_one_line(server, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments, code in (
        (["--dir", str(server.directory)], "ledger.directory-in-use"),
        (["--dir", str(tmp_path / "empty")], "ledger.no-directory"),
    ):
        done = covenant(*arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(f"{code}: ")
        assert len(done.stderr.strip().splitlines()) == 1
    assert covenant().returncode == 2


def test_another_genesis_block_over_the_same_database_is_refused(server):
    server.stop()
    (server.directory / "genesis.block").unlink()
    create(server.directory, server.authorities, HOSPITALS, ["InstituteMSP"])
    with pytest.raises(LedgerError, match=r"ledger\.other-genesis"):
        server.start()


def test_a_channel_is_founded_once_and_by_known_authorities(tmp_path):
    made = found(tmp_path / "ledger")
    with pytest.raises(LedgerError, match=r"ledger\.exists"):
        create(made.directory, made.authorities, HOSPITALS, [])
    with pytest.raises(LedgerError, match=r"ledger\.no-authority.*UnknownMSP"):
        create(tmp_path / "other", made.authorities, ["UnknownMSP"], [])


def test_keys_lie_with_their_owner_alone_and_the_log_names_nobody(server):
    with server.connect() as door:
        door.contract.submit("members:Found", members())
    server.stop()
    keys = [*server.directory.rglob("*.key"), *server.directory.rglob("key.pem")]
    assert len(keys) == len(HOSPITALS) + 2
    assert all(os.stat(each).st_mode & 0o077 == 0 for each in keys)
    assert "steward" not in server.process.log.read_text()
