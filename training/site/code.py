"""The digest of the code that would train here. A plan names one; a site runs only that.

It covers every file, as installed, between the ledger and a record on one side and a noised update on the other, so
whoever can read the release can compute it. It says nothing about the libraries beneath (torch, numpy), which the
constraints file pins, and a hospital that lies about its own code can only be found by inspection on its premises.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from consent.canonical import digest

COVERED = (  # folders with all below them, and single files
    "consent",
    "ledger/__init__.py",
    "ledger/contracts/constitution.py",
    "ledger/contracts/fields.py",
    "ledger/contracts/sealed.py",
    "ledger/contracts/stub.py",
    "ledger/disk.py",
    "ledger/errors.py",
    "ledger/gateway",
    "ledger/identity",
    "ledger/protocol",
    "portal/catalogue/manifests.py",
    "portal/catalogue/models.py",
    "portal/catalogue/selectors.py",
    "portal/config.py",
    "portal/errors.py",
    "portal/grid",
    "portal/ledger.py",
    "portal/limits.py",
    "portal/patients/choices.py",
    "portal/patients/hearing.py",
    "portal/patients/models",
    "portal/patients/projections.py",
    "portal/patients/odometer.py",
    "portal/patients/proofs.py",
    "portal/patients/selectors.py",
    "portal/patients/sending.py",
    "portal/patients/speaking.py",
    "portal/patients/vault.py",
    "portal/patients/words.py",
    "portal/reactor",
    "portal/withdrawals/acknowledging.py",
    "portal/withdrawals/handed.py",
    "training",
)


@cache
def code_digest() -> str:
    """64 hexadecimal characters; read once a process."""
    return digest("covenant.code.v1", *(spelled(name, file) for name, file in sorted(covered().items()))).hex()


def covered() -> dict[str, Path]:
    """The files that the digest covers, by their name from the packages' common root."""
    return {name: file for place in COVERED for name, file in _files(place)}


def spelled(name: str, file: Path) -> bytes:
    content = file.read_bytes()
    return len(name.encode()).to_bytes(4) + name.encode() + len(content).to_bytes(8) + content


def _files(place: str) -> Iterator[tuple[str, Path]]:
    package, _, below = place.partition("/")
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    root = Path(spec.submodule_search_locations[0])
    start = root / below
    for file in start.rglob("*.py") if start.is_dir() else (start,):
        yield f"{package}/{file.relative_to(root).as_posix()}", file
