"""`covenant ledger ...`: serve the embedded ledger; export and verify any ledger."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from consent.errors import CovenantError
from ledger.verify import cli as verify

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Serve, export and verify the ledger.")
app.registered_commands.extend(verify.app.registered_commands)
receipt_app = verify.receipt_app
proof_app = verify.proof_app


@app.command()
def serve(
    directory: Annotated[Path, typer.Option("--dir", help="The ledger's directory, founded before.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")] = 0,
) -> None:
    """Serve the embedded ledger in DIR until stopped; prints what DIR/address.json says once it answers."""
    from ledger.embedded import server

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")

    def ready(address: dict[str, Any]) -> None:
        typer.echo(json.dumps(address))

    server.run(directory, port, ready)


def main() -> None:
    """`python -m ledger.cli`: this group alone, for processes that start a ledger. Exit 1 with `code: message`."""
    try:
        app()
    except CovenantError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
