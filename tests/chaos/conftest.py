"""Which of these tests share processes, so that `pytest -n 2 --dist loadgroup` runs the others beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those on the one consortium of four hospitals stay together, and so do those of one file."""
    for item in items:
        if item.path.is_relative_to(HERE):
            group = "consortium" if item.path.parent.name == "fabric" else item.path.stem
            item.add_marker(pytest.mark.xdist_group(group))
