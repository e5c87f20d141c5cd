"""What a nursery begins is the command that was asked for, the demo's own child, and shares no chance with others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from portal.demo.nursery import Nursery
from portal.errors import PortalError

PROBE = """
import json, os, random, secrets, sys
from cryptography.hazmat.primitives.asymmetric import ec
from training.privacy.noise import Keystream
key = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
chance = [random.random(), secrets.token_hex(), key, SHARED.take(8).hex(), Keystream().take(8).hex()]
print(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ), "name": __name__, "chance": list(map(str, chance)),
                  "said": sys.stdin.readline(), "session": os.getsid(0), "open": len(os.listdir("/proc/self/fd"))}))
print("to the log", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""
MODULES = ("random", "secrets", "cryptography.hazmat.primitives.asymmetric.ec", "held")
HELD = "from training.privacy.noise import Keystream\nSHARED = Keystream()\nSHARED.take(8)\n"


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """Nurseries that load given modules; `probe` and `held` are modules."""
    (tmp_path / "probe.py").write_text(f"from held import SHARED\n{PROBE}")
    (tmp_path / "held.py").write_text(HELD)
    (tmp_path / "busy.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = []

    def begin(*modules):
        made.append(Nursery(modules, tmp_path, tmp_path / "nursery.log"))
        return made[-1]

    yield begin
    for each in made:
        each.process.kill()
        each.process.wait()


def run(nursery, tmp_path, *arguments, env=None):
    """The status of `python -m probe ARGUMENTS`, what it printed, and its process number."""
    (tmp_path / "in").write_text("hello\n")
    with (tmp_path / "in").open() as asked, (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as log:
        files = asked.fileno(), out.fileno(), log.fileno()
        child = nursery.start("cleveland-probe", [sys.executable, "-m", "probe", *arguments], env or {}, files)
    status = child.wait(30)
    return status, json.loads((tmp_path / "out").read_text() or "null"), child.pid


def test_it_is_the_command_that_was_asked_for(begun, tmp_path):
    status, told, pid = run(begun(*MODULES), tmp_path, "3", "x y", env={"COVENANT_NODE": "/n"})
    assert status == 3
    assert told["argv"] == ["3", "x y"] and told["env"] == {"COVENANT_NODE": "/n"} and told["name"] == "__main__"
    assert told["said"] == "hello\n" and told["session"] == pid
    assert told["open"] == 4  # stdin, stdout, stderr, and the folder it looks into
    assert (tmp_path / "err").read_text() == "to the log\n"


def test_no_two_share_their_chance(begun, tmp_path):
    nursery = begun(*MODULES)
    first, second = (run(nursery, tmp_path, "0")[1]["chance"] for _ in range(2))
    assert not set(first) & set(second)


def test_one_that_fails_says_so_in_its_own_log(begun, tmp_path):
    status, told, _ = run(begun(*MODULES), tmp_path, "no number")
    assert status == 1 and told is not None
    assert "ValueError" in (tmp_path / "err").read_text()


def test_it_is_ended_like_any_other(begun, tmp_path):
    with open(os.devnull, "r+") as nothing:
        files = (nothing.fileno(),) * 3
        child = begun("json").start(
            "server", [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"], dict(os.environ), files
        )
    assert child.poll() is None and psutil.Process(child.pid).name() == "server"
    assert psutil.Process(child.pid).ppid() == os.getpid()
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.05)
    child.terminate()
    assert child.wait(30) == -signal.SIGTERM == child.returncode
    child.kill()  # nothing is there any more: nobody else is


def test_it_dies_with_whoever_asked_for_it(begun, tmp_path):
    code = f"""
import os, sys, time
from pathlib import Path
from portal.demo.nursery import Nursery
nursery = Nursery(["json"], Path({str(tmp_path)!r}), Path({str(tmp_path / "log")!r}))
nothing = os.open(os.devnull, os.O_RDWR)
server = [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"]
child = nursery.start("server", server, dict(os.environ), (nothing,) * 3)
print(nursery.process.pid, child.pid, flush=True)
time.sleep(600)
"""
    demo = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pids = [int(word) for word in demo.stdout.readline().split()]
    demo.kill()
    demo.communicate()
    deadline = time.monotonic() + 30
    while any(map(running, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(("module", "said"), [("busy", "a library has begun a thread"), ("no_such", "No module named")])
def test_one_that_cannot_fork_says_why(begun, tmp_path, module, said):
    with pytest.raises(PortalError, match=r"demo\.process-ended"):
        run(begun(module), tmp_path, "0")
    assert said in (tmp_path / "nursery.log").read_text()


def test_what_is_loaded_begins_no_thread_and_reads_no_settings(monkeypatch):
    """Else nothing could be begun, or every node would be the first one."""
    from portal.demo import nursery

    monkeypatch.delenv("COVENANT_NODE", raising=False)
    loads = f"from importlib import import_module\nfor one in {nursery.NODES!r}: import_module(one)\n"
    looks = "import os, sys\nprint(len(os.listdir('/proc/self/task')), {'portal.settings', 'torch'} & {*sys.modules})"
    env = {**os.environ, **nursery.QUIET}
    told = subprocess.run([sys.executable, "-c", loads + looks], capture_output=True, text=True, check=True, env=env)
    assert told.stdout.split() == ["1", "set()"]
