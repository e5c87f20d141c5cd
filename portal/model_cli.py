"""`covenant model verify`: what anybody can check about a released model, offline, trusting nobody who gave it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from portal import bundle

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    directory: Annotated[Path, typer.Argument(help=f"It holds {', '.join(bundle.FILES)}.")],
    ledger: Annotated[Path, typer.Option("--ledger", help="The ledger's export (ledger.blocks).")],
    genesis: Annotated[
        str, typer.Option("--genesis", help="SHA-256 of the genesis block, from somebody you trust (hex).")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check that model, certificate and card are what every hospital signed; recompute what the certificate says."""
    shown = bundle.verify_bundle(directory, ledger, genesis)
    typer.echo(json.dumps(shown.as_json()) if as_json else "\n".join(shown.sentences()))
