"""The package is pure: no framework, no I/O, no clock, no randomness of its own."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import consent

FILES = sorted(Path(consent.__file__).parent.glob("*.py"))
IMPURE = {
    "asyncio",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "socket",
    "subprocess",
    "time",
}
ALLOWED = {"consent", "cryptography", "msgspec"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_module_imports_only_what_is_pure(file: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    foreign = imported - sys.stdlib_module_names - ALLOWED
    assert not foreign | (imported & IMPURE)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_module_reads_no_clock_and_opens_no_file(file: Path) -> None:
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
    }
    assert not called & {"open", "input", "print", "now", "today", "utcnow", "urandom", "generate_private_key", "hash"}
