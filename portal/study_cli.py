"""`covenant study`: what a researcher does with an ended study from the command line of the institute's node."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated

import typer

from portal.cli import NODE, start
from portal.errors import PortalError

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """Train an ended study again without what was withdrawn."""


@app.command()
def restart(
    *,
    study: Annotated[uuid.UUID, typer.Argument(help="The ended study.")],
    consent: Annotated[list[str], typer.Option("--consent", help="The number of a withdrawn consent; repeatable.")],
    title: Annotated[str, typer.Option(help="The new study's title; the old one's unless told.")] = "",
    spare_attempts: Annotated[int, typer.Option(min=0, max=50, help="Paid for in advance.")] = 2,
    propose: Annotated[bool, typer.Option("--propose", help="Propose it; else only its price is told.")] = False,
    node: Path = NODE,
) -> None:
    """Say at which round what was withdrawn may first have been used, and what training again from there costs.

    Nothing is sent unless --propose is given; then each hospital decides about exactly this plan.
    """
    start(node)
    from portal.studies import restarts, selectors

    if (found := selectors.study(study)) is None:
        raise PortalError("study.unknown", "this node's ledger shows no such study: copy its id from its page")
    asked = {"consents": " ".join(consent), "title": title or found["title"], "spare_attempts": spare_attempts}
    told = restarts.planned(found, **asked)
    for sentence in told.sentences():
        typer.echo(sentence)
    for one in told.quotes:
        fits = "fits" if one.fits else "OVER THE CAP"
        typer.echo(f"{one.title}: exposure {one.exposure_before} -> {one.exposure_after} of {one.cap}, {fits}")
    if propose:
        new = uuid.uuid4()
        restarts.propose(before=found, study=new, **asked)
        typer.echo(f"Proposed as {new}. Each hospital decides about it.")
