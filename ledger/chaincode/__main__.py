"""`python -m ledger.chaincode serve --config FILE`: one hospital's host. Exit 1 with `code: message`."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from consent.errors import CovenantError
from ledger.chaincode import server

app = typer.Typer(add_completion=False, help="Host the contracts for a Fabric peer.")


@app.callback()
def group() -> None:
    """One command, and room for more."""


@app.command()
def serve(config: Annotated[Path, typer.Option(help="What deploy wrote for this hospital's host.")]) -> None:
    """Serve until stopped; prints the addresses in use, one line of JSON, once it listens."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    server.run(config, lambda addresses: typer.echo(json.dumps(addresses)))


if __name__ == "__main__":
    try:
        app()
    except CovenantError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from None
