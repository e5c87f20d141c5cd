"""The operator's commands for a node: `covenant backup`, `covenant restore`, `covenant ledger rebuild-projection`."""

from __future__ import annotations

import os
from pathlib import Path

import typer

rebuild_app = typer.Typer(help="Forget a node's mirror of the ledger and replay it from the first block.")

NODE = typer.Option(..., "--node", envvar="COVENANT_NODE", help="The node's settings file (node.json).")


def start(node: Path) -> None:
    """Bring Django up as the node whose settings file is `node`."""
    import django

    os.environ["COVENANT_NODE"] = str(node.absolute())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()


@rebuild_app.command()
def rebuild_projection(node: Path = NODE) -> None:
    """Replay the mirror in one transaction: pages show the old one until the new one is whole."""
    start(node)
    from portal.reactor.follow import rebuild

    typer.echo(f"replayed {rebuild()} events")
