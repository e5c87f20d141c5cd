"""What every kind of test shares: required programs, and how often randomised tests run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from tests.functional.node import portal_for_tests

portal_for_tests()  # now: conftest files below import models, and pytest-django reads the settings

# How long an example takes says something of the machine and its other work, nothing of what is tested.
settings.register_profile("any-machine", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(scope="session")
def program() -> Callable[..., str]:
    """`program("chromium")` is its path. Absent, the test is skipped; with CI=true that is a failure."""

    def find(*names: str) -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        reason = f"{names[0]} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)

    return find
