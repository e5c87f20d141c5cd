"""`covenant budget`: what every hospital's account has spent and has left, and what a plan would cost.

Both read the ledger that a directory's node, network or ledger is connected to, as its peer shows it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.contracts.constitution import MIN_SIGMA
from ledger.verify import source
from portal import forecast, odometer
from portal.errors import PortalError
from portal.forecast import Draft, Forecast
from portal.odometer import Standing
from portal.records import Served
from training.federation.release import upwards
from training.models.heart import DEFAULTS

app = typer.Typer(no_args_is_help=True, add_completion=False)

Directory = Annotated[
    Path, typer.Option("--dir", help="The directory of a demo, a node, a ledger or a Fabric network, which is running.")
]
Org = Annotated[str, typer.Option(help="Of a Fabric network: whose peer to ask, as that organisation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Hospitals = Annotated[list[str] | None, typer.Option("--hospital", help="MSP id; repeatable; all unless told.")]


@app.callback()
def _group() -> None:
    """Say what every hospital's privacy account has spent and has left, and what a plan would cost."""


@app.command()
def show(directory: Directory, org: Org = "", hospital: Hospitals = None, as_json: AsJson = False) -> None:
    """Every account: its cap, and epsilon spent, reserved, elsewhere and left, by RDP as gated and by PLD as reported.

    Left is the cap less the epsilon of everything before it; a plan usually costs less than its own epsilon then, since
    histories compose to less than their sum. Noised counts draw on an account of their own, not shown here.
    """
    view = read(directory, org)
    standing = odometer.standings(view)
    names = forecast.chosen(standing, hospital or ())
    told = [account(standing[name]) for name in names]
    if as_json:
        typer.echo(json.dumps({"ok": True, **head(view), "accounts": told}))
        return
    typer.echo(f"Accounts at {view.height() + 1} blocks, epsilon by RDP (as the ledger gates) / by PLD (as reported):")
    columns = ["hospital", "cap", "at delta", "spent", "with reserved", "with elsewhere", "left"]
    typer.echo(table(columns, [row(one) for one in told]))


@app.command()
def plan(
    *,
    directory: Directory,
    epsilon: Annotated[str, typer.Option(help="What the whole study may cost a patient.")] = "",
    sigma: Annotated[str, typer.Option(help="Instead: the noise, in clip bounds.")] = "",
    delta: Annotated[str, typer.Option(help="Below 1 over the patients of the largest data set.")] = DEFAULTS.delta,
    rounds: Annotated[int, typer.Option(min=1, max=10_000)] = DEFAULTS.rounds,
    spare_attempts: Annotated[int, typer.Option(min=0, max=10_000, help="Paid for in advance.")] = 2,
    local_steps: Annotated[int, typer.Option(min=1, help="Steps a site takes in a round.")] = DEFAULTS.local_steps,
    q: Annotated[str, typer.Option("--q", help="Each patient's chance to be in a step.")] = DEFAULTS.q,
    metric_sigma: Annotated[str, typer.Option(help="Noise on the counts of the evaluation.")] = DEFAULTS.metrics_sigma,
    hospital: Hospitals = None,
    org: Org = "",
    as_json: AsJson = False,
) -> None:
    """What a plan costs before it is proposed: the noise that keeps it within --epsilon, and every account with it.

    Nothing is sent. The arithmetic is the ledger's own, at the head that the peer shows now.
    """
    if bool(epsilon) == bool(sigma):
        raise PortalError(
            "budget.target", "name one target: --epsilon (the noise follows) or --sigma (epsilon follows)"
        )
    target = number("sigma", sigma, least=MIN_SIGMA) if sigma else number("epsilon", epsilon)
    asked = Draft(
        hospitals=(),
        rounds=rounds,
        spare_attempts=spare_attempts,
        local_steps=local_steps,
        q=number("q", q, most=Decimal(1)),
        delta=number("delta", delta, below=Decimal(1)),
        metric_sigma=number("metric-sigma", metric_sigma, least=MIN_SIGMA),
    )
    view = read(directory, org)
    standing, apart = odometer.standings(view), odometer.set_apart(view)
    draft = replace(asked, hospitals=forecast.chosen(standing, hospital or ()))
    forecast.check_delta(view, draft)
    noise = target if sigma else draft.sigma(target, apart)
    cost, found = draft.of_a_patient(noise, apart), forecast.forecasts(standing, draft, noise, apart)
    fitting = noise if all(one.fits for one in found) else forecast.least_fitting(standing, draft, apart)
    told: dict[str, Any] = {
        "sigma": noise,
        "delta": draft.delta,
        "epsilon_rdp": str(cost.gated(draft.delta)),
        "epsilon_pld": upwards(cost.reported(draft.delta)),
        "hospitals": list(draft.hospitals),
        "hospitals_disjoint": draft.shares(apart) == 1,
        "steps": draft.local_steps * draft.attempts,
        "accounts": [forecast_of(one) for one in found],
        "fits": all(one.fits for one in found),
        "sigma_that_fits": fitting,
    }
    if as_json:
        typer.echo(json.dumps({"ok": True, **head(view), **told}))
        return
    typer.echo("\n".join(sentences(draft, told)))
    columns = ["hospital", "cap", "at delta", "before", "after", "left", ""]
    typer.echo(table(columns, [list(map(str, one.values())) for one in told["accounts"]]))
    if not told["fits"]:
        typer.echo(
            "No noise makes it fit: plan fewer rounds, or fewer hospitals."
            if fitting is None
            else f"It would be refused (budget.over-cap). It fits with: --sigma {fitting}"
        )


def read(directory: Path, org: str) -> Served:
    """Raises LedgerError `source.*`, GatewayError."""
    with source.find(directory, org).connect() as gateway:
        return Served(gateway.blocks())


def head(view: Served) -> dict[str, Any]:
    blocks = view.height() + 1
    return {"height": blocks, "head_hash": view.header_hash(blocks)}


def account(one: Standing) -> dict[str, Any]:
    """A standing as plain values; each epsilon is of all before it too."""
    steps = {"spent": one.spent, "reserved": one.spent + one.reserved, "exposure": one.exposure}
    gated = {name: cost.gated(one.delta) for name, cost in steps.items()}
    reported = {name: Decimal(upwards(cost.reported(one.delta))) for name, cost in steps.items()}
    return {
        "hospital": one.hospital,
        "cap": str(one.cap),
        "delta": one.delta,
        "rdp": {name: str(value) for name, value in left(one.cap, gated).items()},
        "pld": {name: str(value) for name, value in left(one.cap, reported).items()},
        "releases": len(one.spent.events),
    }


def left(cap: Decimal, epsilons: dict[str, Decimal]) -> dict[str, Decimal]:
    return {**epsilons, "left": max(Decimal(0), cap - epsilons["exposure"])}


def row(one: dict[str, Any]) -> list[str]:
    both = [f"{one['rdp'][name]} / {one['pld'][name]}" for name in ("spent", "reserved", "exposure", "left")]
    return [one["hospital"], one["cap"], one["delta"], *both]


def forecast_of(one: Forecast) -> dict[str, Any]:
    return {
        "hospital": one.hospital,
        "cap": str(one.cap),
        "delta": one.delta,
        "before": str(one.before),
        "after": str(one.after),
        "left": str(one.left),
        "says": "fits" if one.fits else "over the cap",
    }


def sentences(draft: Draft, told: dict[str, Any]) -> list[str]:
    shared = "share no patients" if told["hospitals_disjoint"] else "may share patients, so their costs add up"
    return [
        f"sigma {told['sigma']}: {draft.rounds} rounds and {draft.spare_attempts} spare attempts of "
        f"{draft.local_steps} steps at q {draft.q}, and counts with noise {draft.metric_sigma}, cost a patient epsilon "
        f"{told['epsilon_rdp']} by RDP, as the ledger gates, and {told['epsilon_pld']} by PLD, as it is reported, at "
        f"delta {draft.delta}.",
        f"{', '.join(draft.hospitals)} {shared}. Exposure, before and after:" if len(draft.hospitals) > 1
        else f"{draft.hospitals[0]} takes part alone. Exposure, before and after:",
    ]  # fmt: skip


def number(
    name: str,
    text: str,
    *,
    least: Decimal | None = None,
    most: Decimal | None = None,
    below: Decimal | None = None,
) -> str:
    """`text` as a plan writes it. Raises PortalError `budget.<name>`, naming the option and its range."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    fits = value.is_finite() and value > 0
    fits = fits and (least is None or value >= least) and (most is None or value <= most)
    if not fits or (below is not None and value >= below):
        bound = f"at least {least}" if least is not None else "above 0"
        bound += f" and at most {most}" if most is not None else f" and below {below}" if below is not None else ""
        raise PortalError(f"budget.{name}", f"--{name} is {text!r}: write a decimal number {bound}", option=name)
    return format(value.normalize(), "f")


def table(columns: list[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in (columns, *rows)
    )
    return "\n".join(line.rstrip() for line in lines)
