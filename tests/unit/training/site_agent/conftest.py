"""A small consortium whose patients all consent, and an approved study over it."""

from __future__ import annotations

import pytest

from tests.support.federation import World


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.everybody_consents()
    return made


@pytest.fixture
def study(world):
    return world.study()
