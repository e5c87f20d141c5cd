"""`covenant model verify`: what anybody can check about a released model, offline, trusting nobody who gave it.

`covenant model keep`: a node's own copy of public weights that a study may start from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from portal import bundle
from portal.cli import NODE, start

app = typer.Typer(add_completion=False)
keep_app = typer.Typer(add_completion=False)


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


@keep_app.command()
def keep(
    file: Annotated[Path, typer.Argument(help="A safetensors file of public weights.")],
    node: Path = NODE,
) -> None:
    """Copy a file of public weights to this node's folder, under its SHA-256, which plans name. Nothing is fetched."""
    start(node)
    from portal.grid.folders import public_weights_folder
    from training.models import public

    name, tensors = public.keep(file, public_weights_folder())
    typer.echo(f"kept as {name}: {len(tensors)} tensors, {sum(one.size for one in tensors.values())} numbers")
    for one, values in tensors.items():
        typer.echo(f"  {one}  {values.dtype} {values.shape}")
