"""The operator's commands for a node: `covenant backup`, `covenant restore`, `covenant ledger rebuild-projection`."""

from __future__ import annotations

import os
from pathlib import Path

import typer

backup_app = typer.Typer(help="Copy a hospital's store to one file.")
restore_app = typer.Typer(help="Put a hospital's store back; no spend and no cohort is ever used twice.")
rebuild_app = typer.Typer(help="Forget a node's mirror of the ledger and replay it from the first block.")

FILE = typer.Argument(..., help="The file to write; it must not exist.")
BACKUP = typer.Argument(None, help="The backup; none with --after.")
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


@backup_app.command()
def backup(file: Path = FILE, node: Path = NODE) -> None:
    """Copy the store, while it is in use, to FILE. The node's key files are not in it: keep them elsewhere."""
    start(node)
    from portal.backups import back_up

    back_up(file)
    typer.echo(f"wrote {file}; keep the node's key files elsewhere, without them it opens no secret")


@restore_app.command()
def restore(
    file: Path = BACKUP,
    after: bool = typer.Option(
        False, help="The database is back already: only follow the ledger and mark what is lost."
    ),
    node: Path = NODE,
) -> None:
    """Put FILE back onto an empty store, follow the ledger, and mark attempts the store no longer knows as lost."""
    if after == (file is not None):
        raise typer.BadParameter("give a FILE, or --after")
    start(node)
    from portal import backups
    from portal.reactor.follow import catch_up

    if after:
        catch_up()
    lost = backups.mark_lost() if after else backups.restore(file)
    typer.echo(f"restored; {lost} attempts are marked lost and will not be made again")
