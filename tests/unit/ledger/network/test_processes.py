"""Processes are known by number and start time: ours are ended, others never."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger.network import processes
from ledger.network.errors import NetworkError
from ledger.network.processes import Process
from ledger.protocol.consortium import Address

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]

HEADLESS = [
    sys.executable,
    "-c",
    "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); "
    "print('on its own', flush=True); ctypes.CDLL(None).pthread_exit(None)",
]


@pytest.fixture
def process(tmp_path):
    made = Process("alpha.peer", tmp_path / "run", tmp_path / "logs")
    yield made
    processes.stop([made], seconds=0.2)


def begin(process, argv):
    process.start(argv, {}, process.logs.parent)
    until(lambda: process.pid is not None)
    return process.pid


def until(true):
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_is_started_once_and_ended(process):
    pid = begin(process, SLEEP)
    process.start(SLEEP, {}, process.logs.parent)
    assert process.pid == pid
    assert processes.running(process.run, process.logs) == [process]
    processes.stop([process])
    assert process.pid is None
    assert not process.record.exists()


def test_one_that_does_not_listen_to_reason_is_killed(process):
    begin(process, DEAF)
    until(lambda: process.tail(1) == "deaf")
    processes.stop([process], seconds=0.3)
    assert process.pid is None


def test_one_that_stands_still_is_ended(process):
    process_id = begin(process, SLEEP)
    os.kill(process_id, signal.SIGSTOP)
    processes.stop([process], seconds=5)
    assert process.pid is None


def test_one_of_which_a_thread_is_left_is_not_gone(process):
    """A process killed on a busy machine holds its ports until its last thread has ended, some time after its first."""
    pid = begin(process, HEADLESS)
    until(lambda: process.tail(1) == "on its own")
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z")
    assert process.pid == pid
    processes.stop([process], seconds=0.3)
    assert process.pid is None


def test_a_number_that_another_program_was_given_since_is_not_ours(process):
    other = subprocess.Popen(SLEEP)
    try:
        stat = Path(f"/proc/{other.pid}/stat").read_text().split()
        stat[21] = str(int(stat[21]) - 1)  # ours began earlier
        process.run.mkdir(parents=True)
        process.record.write_text(" ".join(stat))
        assert process.pid is None
        processes.stop([process])
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_the_starter_may_die_at_any_moment(process):
    """Its own record is the process's first deed: killed right after the fork, the starter leaves nothing unnamed."""
    code = (
        "import os, sys; from pathlib import Path; from ledger.network.processes import Process\n"
        f"Process('alpha.peer', Path({str(process.run)!r}), Path({str(process.logs)!r}))"
        f".start({SLEEP!r}, {{}}, Path('/'))\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    until(lambda: process.pid is not None)
    assert processes.running(process.run, process.logs) == [process]


def test_one_that_ends_says_why(process):
    process.start(
        [sys.executable, "-c", "print('host.wrong-source: other code'); raise SystemExit(1)"], {}, process.run.parent
    )
    with pytest.raises(NetworkError, match=r"^network\.process-ended: alpha\.peer ended: host\.wrong-source"):
        process.await_listening(Address("127.0.0.1", free_port()))


def test_another_that_listens_in_its_place_is_not_it(process):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        begin(process, SLEEP)
        with pytest.raises(NetworkError, match=r"^network\.not-ready: "):
            process.await_listening(Address("127.0.0.1", other.getsockname()[1]), seconds=0.3)


def test_it_is_ready_once_it_listens(process):
    port = free_port()
    code = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    begin(process, [sys.executable, "-c", code])
    process.await_listening(Address("127.0.0.1", port))


def test_one_that_never_answers(process):
    begin(process, SLEEP)
    with pytest.raises(NetworkError, match=r"^network\.not-ready: "):
        process.await_listening(Address("127.0.0.1", free_port()), seconds=0.3)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
