"""The digest of the code that would train here. A plan names one; a site runs only that.

It covers every source file of `training` and `consent` as installed, so whoever can read the release can compute it. It
says nothing about the libraries beneath (torch, numpy), which the constraints file pins, and a hospital that lies about
its own code can only be found by inspection on its premises.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from consent.canonical import digest

PACKAGES = ("consent", "training")


@cache
def code_digest() -> str:
    """64 hexadecimal characters; read once a process."""
    parts = [part for package in PACKAGES for part in _files(package)]
    return digest("covenant.code.v1", *parts).hex()


def _files(package: str) -> Iterator[bytes]:
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    root = Path(spec.submodule_search_locations[0])
    for file in sorted(root.rglob("*.py"), key=lambda file: file.relative_to(root).as_posix()):
        name = f"{package}/{file.relative_to(root).as_posix()}".encode()
        content = file.read_bytes()
        yield len(name).to_bytes(4) + name + len(content).to_bytes(8) + content
