"""`covenant network ...`: a real Fabric network on this machine, one peer and one orderer a hospital."""

from __future__ import annotations

import errno
import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import typer

from consent import canonical
from consent.canonical import Document
from ledger.network import binaries, changes, lifecycle, members, membership, renewal
from ledger.network import doctor as doctors
from ledger.network import network as networks
from ledger.network import plan as plans
from ledger.network.change_file import Change, holds_change
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.network import Network
from ledger.network.package import INSTALLED, Package
from ledger.network.plan import Member
from ledger.network.programs import Programs

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Run a real Fabric network, one node a hospital.")
DIRECTORY = Path("var/network")
HOSPITALS = 4
Directory = Annotated[Path, typer.Option("--dir", help="The network's directory.")]
Org = Annotated[str, typer.Argument(help="An organisation's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Profile = Literal["latency", "throughput"]
Part = Annotated[str | None, typer.Option("--part", help="Only its peer, orderer or host.")]


@app.command()
def up(
    directory: Directory = DIRECTORY,
    orgs: Annotated[
        int | None, typer.Option(min=1, max=20, help="How many hospitals, 4 unless told; BFT ordering from four on.")
    ] = None,
    port: Annotated[int, typer.Option(help="First port; each organisation takes twelve.")] = 7050,
    host: Annotated[str, typer.Option(help="The address that every process listens on.")] = "127.0.0.1",
    profile: Annotated[Profile, typer.Option(help="Answer a lone client sooner, or order more in all.")] = "throughput",
) -> None:
    """Found a network of ORGS hospitals and one research institute, or start the one that is there."""
    if orgs is None and Layout(directory.absolute()).plan.exists():
        network = Network.at(directory)
        if network.plan.here:
            members.up(network)
            typer.echo(f"{network.plan.here} runs in {directory}: {networks.ordering(network.plan)}.")
            return
        plan = network.plan
    else:
        hospitals = [f"hospital{number}" for number in range(1, (orgs or HOSPITALS) + 1)]
        plan = plans.draw(hospitals, ["institute"], host=host, port=port, interval_ms=plans.PROFILES[profile])
    network = networks.up(directory, plan, {}, typer.echo)
    typer.echo(f"{len(network.plan.hospitals)} hospitals run in {directory}: {networks.ordering(network.plan)}.")


@app.command()
def prepare(
    name: Org,
    host: Annotated[str, typer.Option(help="The address at which the others reach this machine.")],
    directory: Directory = DIRECTORY,
    port: Annotated[int, typer.Option(help="First port of twelve.")] = 7050,
    institute: Annotated[bool, typer.Option("--institute", help="A research institute, which runs nothing.")] = False,
) -> None:
    """Make one member's keys in a directory of its own, for a network over several machines."""
    kind: Literal["hospital", "institute"] = "institute" if institute else "hospital"
    file = members.prepare(directory, Member.named(name), kind, host, port)
    typer.echo(f"Send {file} to the member that founds the network; nothing in it is secret.")


@app.command()
def found(
    files: Annotated[list[Path], typer.Argument(help="The file of each member, as `prepare` made it.")],
    profile: Annotated[Profile, typer.Option(help="As for `up`.")] = "throughput",
    out: Annotated[Path, typer.Option(help="The file that every member takes.")] = Path("consortium.json"),
) -> None:
    """Put the members' files together: one of them does this, for all."""
    made = members.found(files, plans.PROFILES[profile])
    _write(out, made)
    typer.echo(f"Send {out} to every member. Its first block, to be compared by telephone:")
    typer.echo(sha256(made.genesis).hexdigest())


@app.command()
def accept(
    file: Annotated[Path, typer.Argument(help="What `found` made; or the change by which this hospital has joined.")],
    genesis: Annotated[str, typer.Option(help="The first block's SHA-256, as the other members say it.")],
    directory: Directory = DIRECTORY,
) -> None:
    """Take part in the consortium of FILE with the keys in this directory; `up` starts it."""
    if holds_change(file):
        plan = changes.accept(directory, file, genesis, Programs(binaries.find(), Layout(directory.absolute())))
    else:
        plan = members.accept(directory, file, genesis)
    typer.echo(f"{plan.here} is a member in {directory}: covenant network up starts what it runs.")


@app.command()
def deploy(
    directory: Directory = DIRECTORY,
    source: Annotated[Path, typer.Option(help="A checkout whose contracts shall run.")] = INSTALLED,
) -> None:
    """Put the contracts on the network: install, approve by each hospital, commit; an upgrade keeps the state."""
    network = lifecycle.deploy(Network.at(directory), Package.of(source.absolute()), typer.echo)
    newest = network.plan.contracts[-1]
    typer.echo(f"The network runs {newest.label}, definition {newest.sequence}.")


@app.command()
def approve(
    organisation: Org,
    directory: Directory = DIRECTORY,
    source: Annotated[Path, typer.Option(help="A checkout whose contracts the hospital shall approve.")] = INSTALLED,
) -> None:
    """Let one hospital install and approve a version of the contracts, beside the one that runs."""
    network = lifecycle.approve(Network.at(directory), organisation, Package.of(source.absolute()), typer.echo)
    newest = network.plan.contracts[-1]
    after = "" if newest.committed else "; covenant network commit puts it in force once a majority has"
    typer.echo(f"{organisation} has approved {newest.label}, definition {newest.sequence}{after}.")


@app.command()
def commit(directory: Directory = DIRECTORY) -> None:
    """Put the version that a majority of hospitals has approved in force; the old one's hosts end."""
    newest = lifecycle.commit(Network.at(directory), typer.echo).plan.contracts[-1]
    typer.echo(f"The network runs {newest.label}, definition {newest.sequence}.")


@app.command()
def join(
    organisation: Org,
    directory: Directory = DIRECTORY,
    port: Annotated[int | None, typer.Option(help="Its first port; after the last one's unless told.")] = None,
    file: Annotated[Path | None, typer.Option(help="Its file, where members have a directory each.")] = None,
) -> None:
    """Add a hospital to the running network, by a configuration that a majority of the others signs."""
    network = Network.at(directory)
    if file:
        _begun(changes.join(network, organisation, file))
        return
    network = membership.join(network, Member.named(organisation), port, tell=typer.echo)
    typer.echo(f"{organisation} takes part: {networks.ordering(network.plan)}.")


@app.command()
def leave(organisation: Org, directory: Directory = DIRECTORY) -> None:
    """Take a hospital out of the running network, by a configuration that a majority signs, and end its processes."""
    network = Network.at(directory)
    if network.plan.here:
        _begun(changes.leave(network, organisation))
        return
    network = membership.leave(network, organisation, tell=typer.echo)
    typer.echo(f"{organisation} has left: {networks.ordering(network.plan)}.")


def _begun(change: Change) -> None:
    """Where members have a directory each, what the others must sign."""
    file = Path(f"{change.name}.change.json")
    _write(file, change)
    typer.echo(f"{file} holds the change and your signature: send it to the next hospital, which gives sign.")


def _write(file: Path, document: Document) -> None:
    try:
        file.write_bytes(canonical.encode(document))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise NetworkError(
            "network.directory", f"{file} cannot be written ({error.strerror}): give the command where it can be"
        ) from None


@app.command()
def sign(
    file: Annotated[Path, typer.Argument(help="What `join`, `leave` or `renew` made, at another hospital.")],
    directory: Directory = DIRECTORY,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without being asked.")] = False,
) -> None:
    """Say what a change would do to the channel, and sign it as this hospital's administrator."""
    network = Network.at(directory)
    looked = changes.look(network, file)
    for line in looked.change.words:
        typer.echo(line)
    typer.echo(f"Signed by {', '.join(looked.signers) or 'nobody'}; it takes {looked.needed}.")
    if not yes:
        typer.confirm(f"Sign it for {network.plan.here}?", abort=True)
    change = changes.add(network, looked)
    _write(file, change)
    enough = len(change.signatures) >= looked.needed
    typer.echo(f"Signed: {'covenant network apply sends it' if enough else 'send it to the next hospital'}.")


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="A change that enough hospitals have signed.")],
    directory: Directory = DIRECTORY,
) -> None:
    """Send a change to the channel, once by anybody; then each member gives this to take note of it."""
    plan = changes.apply(Network.at(directory), file, typer.echo)
    typer.echo(f"{plan.here} has taken note: {networks.ordering(plan)}.")


@app.command()
def down(
    directory: Directory = DIRECTORY,
    delete: Annotated[bool, typer.Option("--delete", help="Delete its ledger and keys too.")] = False,
) -> None:
    """End every process of the network; `up` starts it again."""
    ended = networks.down(directory)
    if delete:
        networks.delete(directory)
    typer.echo(f"Ended {ended} processes{' and deleted ' + str(directory) if delete else ''}.")


@app.command()
def start(organisation: Org, directory: Directory = DIRECTORY, part: Part = None) -> None:
    """Start a hospital's processes that do not run."""
    network = Network.at(directory)
    with network.layout.lock():
        network.start([network.node(organisation)], part)


@app.command()
def stop(organisation: Org, directory: Directory = DIRECTORY, part: Part = None) -> None:
    """End a hospital's processes; the others go on."""
    network = Network.at(directory)
    with network.layout.lock():
        network.stop([network.node(organisation)], part)


@app.command()
def renew(organisation: Org, directory: Directory = DIRECTORY) -> None:
    """Issue an organisation's keys and certificates anew; a hospital's processes start with them."""
    network = Network.at(directory)
    if network.plan.here and network.own(organisation).kind == "hospital":
        _begun(changes.renew(network, organisation))
        return
    renewal.renew(network, organisation, typer.echo)


@app.command()
def status(directory: Directory = DIRECTORY, as_json: AsJson = False) -> None:
    """Show each process and each peer's number of blocks. Exit status 1 when something does not run."""
    rows = networks.status(Network.at(directory))
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        for row in rows:
            blocks = "" if row.blocks is None else f"{row.blocks} blocks"
            state = f"runs ({row.pid})" if row.pid else "does not run"
            typer.echo(f"{row.name:34} {row.address:22} {state:18} {blocks}")
    raise typer.Exit(0 if all(row.pid for row in rows) else 1)


@app.command()
def logs(
    organisation: Org,
    directory: Directory = DIRECTORY,
    part: Part = None,
    lines: Annotated[int, typer.Option(min=1, help="How many of each log's last lines.")] = 20,
) -> None:
    """Print the last lines of a hospital's logs."""
    node = Network.at(directory).node(organisation)
    for process in node.find(part) if part else node.processes:
        typer.echo(f"== {process.log}")
        typer.echo(process.tail(lines))


@app.command()
def doctor(directory: Directory = DIRECTORY, as_json: AsJson = False) -> None:
    """Say what is wrong and which command mends it. Exit status 1 when something is broken."""
    findings = doctors.examine(Network.at(directory))
    if as_json:
        typer.echo(json.dumps({"ok": doctors.healthy(findings), "findings": [asdict(each) for each in findings]}))
    else:
        for each in findings:
            typer.echo(f"{each.state:8} {each.name:28} {each.detail}{': ' + each.mend if each.mend else ''}")
    raise typer.Exit(0 if doctors.healthy(findings) else 1)


@app.command()
def build() -> None:
    """Build Fabric's programs into the cache, unless they are there: what `make fabric` calls."""
    from ledger.network import build as building

    binaries, new = building.build()
    typer.echo(f"Fabric {binaries.version} {'built into' if new else 'is in'} {binaries.directory}")
