"""Founding a network is all or nothing, on any directory, whatever interrupts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from ledger.network import network as networks
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.plan import draw
from tests.support import fabric, ports


@pytest.fixture
def plan():
    fabric.require()
    return draw(["alpha"], ["institute"], host="127.0.0.1", port=ports.free_ports(2))


def covenant(*arguments):
    command = [sys.executable, "-c", "import covenant; covenant.main()", "network", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_port_that_is_taken_is_named_and_nothing_is_left(tmp_path, plan):
    with socket.socket() as other:
        other.bind(("127.0.0.1", plan.organisations[0].orderer.port))
        other.listen()
        with pytest.raises(NetworkError, match=rf"^network\.port-taken: port {plan.organisations[0].orderer.port}, .*"):
            networks.up(tmp_path / "net", plan, {})
    assert not (tmp_path / "net" / "orgs").exists()


def test_an_address_of_another_machine(tmp_path):
    fabric.require()
    away = draw(["alpha"], [], host="192.0.2.1", port=20_000)
    with pytest.raises(NetworkError, match=r"^network\.address: .*--host"):
        networks.up(tmp_path, away, {})


@pytest.mark.parametrize("verb", [["down"], ["status"], ["doctor"], ["deploy"], ["stop", "alpha"], ["join", "beta"]])
def test_a_directory_that_is_no_network(tmp_path, verb):
    fabric.require()
    said = covenant(*verb, "--dir", tmp_path)
    assert said.returncode == 1
    assert said.stderr.startswith("network.not-found: ")
    assert said.stderr.count("\n") == 1


def test_a_name_with_odd_characters(tmp_path, plan):
    networks.up(tmp_path, plan, {})
    try:
        said = covenant("join", "St. Gallen", "--dir", tmp_path)
    finally:
        networks.delete(tmp_path)
    assert said.stderr.startswith("network.name: ")
    assert list(tmp_path.iterdir()) == [tmp_path / "lock"]


@pytest.mark.parametrize("delay", [0.3, 0.8, 1.5])
def test_a_start_that_was_killed_is_undone_by_the_next(tmp_path, plan, delay):
    code = (
        "from pathlib import Path; from ledger.network import network, plan\n"
        f"network.up(Path({str(tmp_path)!r}), "
        f"plan.draw(['alpha'], ['institute'], host='127.0.0.1', port={plan.organisations[0].port}), {{}})"
    )
    first = subprocess.Popen([sys.executable, "-c", code])
    layout = Layout(tmp_path)
    deadline = time.monotonic() + 60
    while not layout.draft.exists() and not layout.plan.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(delay)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    left = running(tmp_path)
    try:
        network = networks.up(tmp_path, plan, {})
        assert all(row.pid for row in networks.status(network))
        assert not layout.draft.exists()
        if layout.plan.exists():
            deadline = time.monotonic() + 60  # what the killed command had asked `peer` to do ends by itself
            while len(running(tmp_path)) > 2 and time.monotonic() < deadline:
                time.sleep(0.2)
            assert len(running(tmp_path)) == 2, left
    finally:
        networks.delete(tmp_path)
    assert running(tmp_path) == []


def test_two_commands_at_once(tmp_path, plan):
    layout = Layout(tmp_path)
    with layout.lock(), pytest.raises(NetworkError, match=r"^network\.busy: "):
        networks.up(tmp_path, plan, {})


def running(directory):
    """Programs of Fabric that were started for `directory`."""
    found = []
    for each in psutil.process_iter():
        try:
            if each.name() in ("peer", "orderer") and str(directory) in each.environ().get("FABRIC_CFG_PATH", ""):
                found.append(each.pid)
        except psutil.Error:
            continue
    return found
