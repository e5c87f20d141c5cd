"""`covenant demo`: the whole main job on real data, then the portal, on one machine."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from consent.errors import CovenantError
from ledger import disk
from portal.demo import consortium, report, services
from portal.demo.layout import Choices, Kind, Layout, write_json
from portal.demo.progress import Clock, RoundsView
from portal.demo.shell import Shells
from portal.demo.steps import Steps
from portal.demo.supervisor import Supervisor
from portal.demo.watch import Watch
from portal.errors import PortalError
from training.site.attempts import ROOM

app = typer.Typer(add_completion=False, help=__doc__)
TOO_LITTLE = 2**20  # bytes
FULL = "disk.full"
WIDE = 140  # columns where nobody watches: no address and no password is broken


@app.command()
def demo(  # noqa: PLR0917  # options of a command line
    directory: Annotated[Path, typer.Option("--dir", help="Where everything is kept.")] = Path("var/demo"),
    reset: Annotated[
        bool, typer.Option("--reset", help="Start over: delete what an earlier run left in --dir.")
    ] = False,
    ledger: Annotated[
        Kind | None, typer.Option(help="embedded: one process (default); fabric: a real network on this machine.")
    ] = None,
    epsilon: Annotated[str | None, typer.Option(help="The study's privacy budget at delta 0.0001 (default 5).")] = None,
    rounds: Annotated[int | None, typer.Option(min=4, max=200, help="Training rounds (default 12).")] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=2**31, help="Fixes made-up consents, splits and initial weights; never noise (default 42)."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1024, max=65460, help="First of five ports on loopback (default 8000); Fabric takes 60 more."),
    ] = None,
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="End after the job instead of serving the portal.")
    ] = False,
    report_file: Annotated[Path | None, typer.Option("--report", help="Another place for report.json as well.")] = None,
) -> None:
    """Run consent, access, private training, a withdrawal and its proofs on four hospitals' data; serve the portal.

    Run again it continues or reports. Exit status 0 only if every step held.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have started us deaf to Ctrl-C
        signal.signal(number, interrupted)
    os.umask(0o077)  # everything below --dir, whichever of the processes makes it
    epsilon = check_epsilon(epsilon)
    check_report(report_file)
    layout = Layout(directory)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDE)
    with layout.lock():
        check_ours(layout)
        afresh = reset or layout.emptying.exists()
        choices = layout.choose(
            port=port, seed=seed, epsilon=epsilon, rounds=rounds, ledger=ledger and ledger.value, afresh=afresh
        )
        services.check(layout, choices, afresh=afresh)
        if afresh:  # not before everything given is known to be good
            empty(layout)
        layout.keep(choices)
        supervisor = Supervisor(layout.logs)
        try:
            run(console, layout, choices, supervisor, report_file)
            if not no_serve:
                serve(console, supervisor)
        except KeyboardInterrupt:
            console.print("\nStopped. The same command goes on from here.")
            raise typer.Exit(130) from None
        except CovenantError as error:
            if error.code != FULL and shutil.disk_usage(layout.directory).free < TOO_LITTLE:
                raise full_disk(layout.directory, error.code) from error
            raise
        finally:
            supervisor.stop_all()


def run(console: Console, layout: Layout, choices: Choices, supervisor: Supervisor, report_file: Path | None) -> None:
    clock = Clock()
    consortium.found(layout, choices)
    services.start_all(layout, choices, supervisor)
    clock.lap("start")
    console.print(
        f"The portal answers at {layout.address(consortium.HUB, choices.port)} (and four hospitals beside it)."
    )
    written = layout.out / "report.json"
    if not written.exists():
        main_job(console, layout, choices, supervisor, clock)
    found = json.loads(written.read_text())
    if report_file:
        write_json(report_file, found)
    report.show(console, layout, choices, found, json.loads((layout.directory / "personas.json").read_text()))


def main_job(console: Console, layout: Layout, choices: Choices, supervisor: Supervisor, clock: Clock) -> None:
    shells = Shells(layout, supervisor.nursery)
    watch = Watch(layout, choices.study)
    try:
        with shells:
            tell = lambda line: console.print(f"  {line}")  # noqa: E731
            steps = Steps(layout, choices, shells, watch, tell, lambda: check(layout, supervisor))
            for name, step in steps.in_order():
                console.print(f"[bold]{name}[/bold]")
                step()
                clock.lap(name)
            console.print("[bold]rounds[/bold]")
            with RoundsView(console, watch, choices.rounds):
                steps.rounds()
            cohorts, patients = steps.settled()
            clock.lap("rounds")
            console.print("[bold]proofs[/bold]")
            withdrawal = steps.proofs()
        ledger = report.collect(layout, choices, watch)
        clock.lap("proofs")
    finally:
        watch.close()
    found = report.build(
        layout, choices, ledger, cohorts=cohorts, patients=patients, withdrawal=withdrawal, seconds=clock.seconds
    )
    write_json(layout.out / "report.json", found)


def check(layout: Layout, supervisor: Supervisor) -> None:
    """Raise PortalError where a study would wait in vain: `disk.full`, `demo.process-ended`."""
    if shutil.disk_usage(layout.directory).free < ROOM:
        raise full_disk(layout.directory, "site.disk-full")
    supervisor.check()


def full_disk(directory: Path, code: str) -> PortalError:
    """Where hardly a byte is left it does not matter what failed, with `code`: not even its log says so."""
    return PortalError(FULL, f"no space is left for {directory}: free some, and run the same command again ({code})")


def serve(console: Console, supervisor: Supervisor) -> None:
    console.print("Serving until Ctrl-C.")
    while True:
        supervisor.check()
        time.sleep(1)


def check_ours(layout: Layout) -> None:
    """Raise PortalError `demo.not-ours` for a directory that holds any file but a demo's: a reset would delete it."""
    if layout.chosen.exists() or layout.emptying.exists():
        return
    begun = {layout.held, *disk.partials(layout.chosen)}  # all that a first run leaves that was killed before it chose
    if any(path not in begun and not path.is_dir() for path in layout.directory.rglob("*")):
        raise PortalError(
            "demo.not-ours", f"{layout.directory} holds no demo: it is left as it is; choose another --dir"
        )


def empty(layout: Layout) -> None:
    """Delete what the demo made. Where that is cut off, the next run finds `emptying` and goes on with it."""
    if layout.chosen.exists():
        layout.chosen.replace(layout.emptying)
    for path in layout.directory.iterdir():
        if path not in {layout.held, layout.emptying}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    layout.emptying.unlink(missing_ok=True)


def check_epsilon(text: str | None) -> str | None:
    """The given epsilon in plain decimals, three of them at most, as a plan's form takes it. Raises PortalError
    `demo.epsilon` unless that is from 0.1 to 10.
    """
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 10 or round(value, 3) != value:
        raise PortalError(
            "demo.epsilon", f"--epsilon is a number from 0.1 to 10 with three decimals at most, not {text}"
        )
    return f"{value:.3f}".rstrip("0").rstrip(".")


def check_report(file: Path | None) -> None:
    """Raise PortalError `demo.report` unless `file` can be written: now, rather than after the whole job."""
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        reason = f"--report {file} cannot be written ({error.strerror}): name a file in a folder that you may write to"
        raise PortalError("demo.report", reason) from None


def interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
