"""The broker's tests run twice: on the embedded Valkey, and with the same settings and rules on Debian's Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.grid import broker

SITES = ["AlphaMSP", "BetaMSP"]


@pytest.fixture(scope="module", params=["valkey", "redis"])
def served_by(request: pytest.FixtureRequest, program: Callable[..., str]) -> Iterator[str]:
    """While a module's tests run, brokers are served by this program."""
    with pytest.MonkeyPatch.context() as patched:
        if request.param == "redis":
            path = program("redis-server")
            patched.setattr(broker, "get_binary_path", lambda: path)
        yield request.param


@pytest.fixture(scope="module")
def directory(served_by: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running broker's directory."""
    made = tmp_path_factory.mktemp("broker")
    broker.prepare(made, SITES)
    with broker.running(made):
        yield made
