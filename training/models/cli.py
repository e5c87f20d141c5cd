"""The commands about networks: `covenant model engines`, `covenant model preflight`."""

from __future__ import annotations

import typer

app = typer.Typer(add_completion=False, help="What networks can train, and how fast.")

NAMES = typer.Argument(None, metavar="[MODEL]...", help="Networks as a plan names them; all without any.")
TRIED = typer.Argument(None, metavar="[NETWORK]...", help="MONAI's networks, such as BasicUNet; all without any.")


@app.callback()
def model() -> None:
    """What networks can train, and how fast."""


@app.command()
def engines(names: list[str] | None = NAMES) -> None:
    """Measure each engine on each network, and say which one trains it and why."""
    from training.models import registry
    from training.models.measuring import BATCH, measured

    for times in measured(names or list(registry.DESCRIPTIONS)):
        typer.echo(
            f"{times.described.model}: {times.weights} weights, a plain step of {BATCH} records "
            f"{times.plain * 1e3:.2f} ms; chosen: {times.verdict}"
        )
        for name, ratio in times.engines.items():
            typer.echo(f"  {name:12}  {'cannot' if ratio is None else f'{ratio:.2f} plain steps'}")


@app.command()
def preflight(names: list[str] | None = TRIED) -> None:
    """Try MONAI's networks on one batch: which can train with privacy, why others cannot, and what mends them."""
    from training.models.candidates import CANDIDATES
    from training.models.excuses import excused
    from training.models.table import excuses, markdown, row

    typer.echo(markdown([row(name) for name in names or CANDIDATES]))
    if not names:
        typer.echo(f"\n{excuses(excused())}")
