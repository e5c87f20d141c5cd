"""One demo for all of these tests: run with an interruption, read offline, then served and walked through."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.functional.conftest import identities, ledger, ledger_process
from tests.support.demo import Demo, processes_of
from tests.support.desks import broker_url, desks

__all__ = ["broker_url", "desks", "identities", "ledger", "ledger_process"]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo that was stopped with Ctrl-C among its rounds, and ran to its end the second time."""
    made = Demo(tmp_path_factory.mktemp("demo") / "run", rounds=6)
    first = made.start("--no-serve")
    made.await_line(first, "epsilon so far")
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130
    assert processes_of(made.directory) == []
    second = made.start("--no-serve")
    output = second.communicate(timeout=600)[0]
    assert second.returncode == 0, output
    return made


@pytest.fixture(scope="session")
def served(demo: Demo) -> Iterator[Demo]:
    """The same demo, run again: it reports and serves. Ask for it after all tests that want nothing running."""
    process = demo.start(own_network=False)
    try:
        demo.await_line(process, "Serving until")
        yield demo
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert processes_of(demo.directory) == []
