"""The four hospitals' real files, written once."""

from __future__ import annotations

import pytest

from training.site.heart import write_hospital_csvs
from training.site.loader import load


@pytest.fixture(scope="session")
def csvs(tmp_path_factory):
    return write_hospital_csvs(tmp_path_factory.mktemp("hospitals"))


@pytest.fixture(scope="session")
def hospitals(csvs):
    return {name: load(path) for name, path in csvs.items()}
