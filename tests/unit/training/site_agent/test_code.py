"""The code digest covers what decides what trains, found by following imports, not by a list kept by hand."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from training.site import code

ROOT = Path(code.__file__).parents[2]
STARTS = ("portal.grid.site", "portal.grid.stores", "portal.reactor.follow", "training.site.agent")
NAMES_ONLY = ("__init__.py",)  # a package's own file that holds a docstring


def imported(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


def reachable(starts):
    """Our own files that importing `starts` runs."""
    found, waiting = set(), list(starts)
    while waiting:
        place = ROOT / waiting.pop().replace(".", "/")
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.is_file() and file not in found and file.is_relative_to(ROOT):
            found.add(file)
            waiting += imported(file)
    return found


def test_every_file_between_ledger_record_and_update_is_covered():
    covered = set(code.covered().values())
    missing = {
        str(file.relative_to(ROOT))
        for file in reachable(STARTS) - covered
        if file.name not in NAMES_ONLY or len(ast.parse(file.read_text()).body) > 1
    }
    assert not missing, "add these to training.site.code.COVERED"
    assert ROOT / "portal/grid/stores.py" in covered and ROOT / "portal/patients/projections.py" in covered


@pytest.mark.parametrize("name", ["portal/grid/stores.py", "training/site/gate.py", "consent/decide.py"])
def test_one_changed_byte_changes_the_digest(name, tmp_path, monkeypatch):
    before = code.code_digest()
    files = code.covered()
    changed = tmp_path / "changed.py"
    changed.write_bytes(files[name].read_bytes() + b"#")
    monkeypatch.setattr(code, "covered", lambda: files | {name: changed})
    assert code.code_digest.__wrapped__() != before


def test_every_place_named_is_there():
    names = set(code.covered())
    for place in code.COVERED:
        assert any(name == place or name.startswith(f"{place}/") for name in names), place
