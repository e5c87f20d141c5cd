"""Fabric's own programs: an operator's (FABRIC_BIN), or those that `make fabric` built into a cache."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ledger.network.errors import NetworkError

SOURCES = Path(__file__).parents[2] / "deploy" / "fabric"
PATCHES = {  # a module of Go's that is built with a change of ours -> what is changed in it, and why
    "github.com/hyperledger-labs/SmartBFT": SOURCES / "smartbft.patch",
    "github.com/hyperledger/fabric": SOURCES / "fabric.patch",
}
VERSION = "v3.1.1"
SERIES = "v3.1."
PROGRAMS = ("peer", "orderer", "osnadmin", "configtxgen", "configtxlator", "ledgerutil")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder of Fabric's programs, of the version that `peer` says."""

    directory: Path
    version: str

    def path(self, program: str) -> str:
        return str(self.directory / program)


def cache() -> Path:
    """The folder that `make fabric` fills for the go.sum and the patches at hand."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = sha256(b"".join(each.read_bytes() for each in (SOURCES / "go.sum", *PATCHES.values()))).hexdigest()
    return home / "covenant" / f"fabric-{digest[:16]}"


def find() -> Binaries:
    """The programs to use. Raises NetworkError `network.binaries-missing`, `network.binaries-version`."""
    given = os.environ.get("FABRIC_BIN")
    directory = Path(given).absolute() if given else cache()
    missing = [name for name in PROGRAMS if not os.access(directory / name, os.X_OK)]
    if missing:
        remedy = "set FABRIC_BIN to a folder that has all" if given else "build Fabric's programs with `make fabric`"
        raise NetworkError("network.binaries-missing", f"{directory} has no {', '.join(missing)}: {remedy}")
    version = version_of(directory)
    if not version.startswith(SERIES):
        raise NetworkError(
            "network.binaries-version",
            f"the peer in {directory} is {version}, and this network needs {SERIES}x: point FABRIC_BIN at one, "
            "or unset it and run `make fabric`",
        )
    return Binaries(directory, version)


def version_of(directory: Path) -> str:
    """What the peer in `directory` calls its version, such as v3.1.1; `unknown` where it says nothing readable."""
    try:
        said = subprocess.run(
            [str(directory / "peer"), "version"], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = (line.partition(":") for line in said.stdout.splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == "Version"), "unknown")
