"""Whatever ends a demo, its processes go: asked first, together, and the ledger after those that use it."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from portal.demo import supervisor
from portal.demo.supervisor import Supervisor

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


@pytest.fixture
def demo(tmp_path):
    made = Supervisor(tmp_path / "logs")
    yield made
    made.stop_all()


def await_up(demo, name):
    while "up" not in demo.tail(name):
        time.sleep(0.01)


def test_those_that_do_not_listen_share_one_patience(demo, monkeypatch):
    monkeypatch.setattr(supervisor, "PATIENCE", 0.5)
    children = {name: demo.start(name, [sys.executable, "-c", DEAF]) for name in ("hub-worker", "cleveland-worker")}
    for name in children:
        await_up(demo, name)
    began = time.monotonic()
    demo.stop_all()
    assert time.monotonic() - began >= 0.5
    assert {child.returncode for child in children.values()} == {-signal.SIGKILL}
    assert demo.children == {}


def test_the_ledger_is_asked_last(demo, tmp_path):
    said = f"""
import signal, sys, time
def end(*_):
    open({str(tmp_path / "order")!r}, "a").write(sys.argv[1] + " ")
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
time.sleep(600)
"""
    for name in ("ledger", "hub-web"):
        demo.start(name, [sys.executable, "-c", said, name])
        await_up(demo, name)
    demo.stop_all()
    assert (tmp_path / "order").read_text().split() == ["hub-web", "ledger"]
