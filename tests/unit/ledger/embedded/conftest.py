"""A real embedded ledger in its own process, fresh or shared by a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.ledger.embedded.harness import Server, found, members


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = found(tmp_path / "ledger")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running ledger for a module, members found."""
    made = found(tmp_path_factory.mktemp("shared") / "ledger")
    made.start()
    with made.connect() as door:
        door.contract.submit("members:Found", members())
    yield made
    made.stop()
