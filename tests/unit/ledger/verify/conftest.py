from __future__ import annotations

import pytest

from tests.unit.ledger.verify.forge import Forge, small_ledger


@pytest.fixture
def forge() -> Forge:
    """A founded consortium with a text published: blocks 0 to 2."""
    forge = Forge()
    forge.seal(forge.found())
    forge.seal(forge.publish())
    return forge


@pytest.fixture(scope="session")
def honest() -> Forge:
    return small_ledger()
