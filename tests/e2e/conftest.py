"""One demo a ledger for all of these tests: run with an interruption, read offline, then served and walked through.

Tests of a demo run on the embedded ledger; those marked `every_ledger` on a Fabric network too, and all of them where
COVENANT_SOAK=1 asks for it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.demo.layout import Kind
from tests.functional.conftest import identities, ledger, ledger_process
from tests.support import fabric
from tests.support.demo import Demo, processes_of
from tests.support.desks import broker_url, desks

__all__ = ["broker_url", "desks", "identities", "ledger", "ledger_process"]


HERE = Path(__file__).parent
SOAK = os.environ.get("COVENANT_SOAK") == "1"
ROUNDS = {Kind.embedded.value: 6, Kind.fabric.value: 4}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "demo" in metafunc.fixturenames:
        both = SOAK or metafunc.definition.get_closest_marker("every_ledger") is not None
        metafunc.parametrize("demo", list(ROUNDS)[: 2 if both else 1], indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `pytest -n 2 --dist loadgroup` the tests of one demo stay together, and so do those without one."""
    for item in items:
        if item.path.is_relative_to(HERE):
            of = getattr(item, "callspec", None)
            group = of.params.get("demo", "none") if of is not None else "none"
            item.add_marker(pytest.mark.xdist_group(f"demo-{group}"))


@pytest.fixture(scope="session")
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo that was stopped with Ctrl-C among its rounds, and ran to its end the second time."""
    if request.param == Kind.fabric:
        fabric.require()
    made = Demo(tmp_path_factory.mktemp("demo") / "run", ROUNDS[request.param], request.param)
    first = made.start("--no-serve")
    made.await_line(first, "epsilon so far")
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130
    assert processes_of(made.directory) == []
    second = made.start("--no-serve", "--report", str(made.copy))
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


@pytest.fixture(scope="session")
def addresses() -> list[str]:
    """Every address that a browser asked for, over all walks of this run."""
    return []
