from __future__ import annotations

import pytest

from tests.contract.memory import MemoryLedger
from tests.contract.world import World


@pytest.fixture
def world() -> World:
    """A consortium of its own for each test, on a ledger whose clock can be moved."""
    made = World(MemoryLedger())
    made.found()
    return made
