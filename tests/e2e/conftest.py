"""One demo a ledger for all of these tests: run with an interruption, read offline, then served and walked through.

Tests of a demo run on the embedded ledger; those marked `every_ledger` on a Fabric network too, and all of them where
COVENANT_SOAK=1 asks for it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from portal.demo.layout import Kind
from tests.functional.conftest import identities, ledger, ledger_process
from tests.support import fabric
from tests.support.demo import Demo, Memory, processes_of
from tests.support.desks import broker_url, desks

__all__ = ["broker_url", "desks", "identities", "ledger", "ledger_process"]


SOAK = os.environ.get("COVENANT_SOAK") == "1"
ROUNDS = {Kind.embedded.value: 6, Kind.fabric.value: 4}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "demo" in metafunc.fixturenames:
        both = SOAK or metafunc.definition.get_closest_marker("every_ledger") is not None
        metafunc.parametrize("demo", list(ROUNDS)[: 2 if both else 1], indirect=True, scope="session")


@pytest.fixture(scope="session")
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo that was stopped with Ctrl-C among its rounds, and ran to its end the second time."""
    if request.param == Kind.fabric:
        fabric.require()
    made = Demo(tmp_path_factory.mktemp("demo") / "run", ROUNDS[request.param], request.param)
    first = made.start("--no-serve")
    made.await_line(first, "epsilon so far")
    first.send_signal(signal.SIGINT)
    assert first.wait(120) == 130
    assert processes_of(made.directory) == []
    second = made.start("--no-serve", "--report", str(made.copy))
    with Memory(second) as made.memory:
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
        process.wait(120)
    assert processes_of(demo.directory) == []


@pytest.fixture(scope="session")
def addresses() -> list[str]:
    """Every address that a browser asked for, over all walks of this run."""
    return []
