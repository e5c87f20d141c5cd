"""The operator's commands for a node: `covenant backup`, `covenant restore`, `covenant ledger rebuild-projection`."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from portal.errors import ConfigurationError

backup_app = typer.Typer(add_completion=False, help="Copy a hospital's store, or an embedded ledger, to one file.")
restore_app = typer.Typer(
    add_completion=False, help="Put a hospital's store, or an embedded ledger, back: nothing is spent twice."
)
rebuild_app = typer.Typer(
    add_completion=False, help="Forget a node's mirror of the ledger and replay it from the first block."
)

FILE = typer.Argument(..., help="The file to write; it must not exist.")
BACKUP = typer.Argument(None, help="The backup; none with --after.")
NODE = typer.Option(..., "--node", envvar="COVENANT_NODE", help="The node's settings file (node.json).")
ANY_NODE = typer.Option(None, "--node", envvar="COVENANT_NODE", help="The node's settings file (node.json).")
LEDGER = typer.Option(None, "--ledger", help="An embedded ledger's directory, instead of a node's store.")


def start(node: Path, role: str = "") -> None:
    """Bring Django up as the node whose settings file is `node`.

    Raises ConfigurationError `config.other-role` where it is not a `role`, if one is asked for.
    """
    import django
    from django.conf import settings

    os.environ["COVENANT_NODE"] = str(node.absolute())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    if role and settings.NODE.role != role:
        raise ConfigurationError("config.other-role", f"{node} is not a {role}'s: name a {role}'s settings file")


@rebuild_app.command()
def rebuild_projection(node: Path = NODE) -> None:
    """Replay the mirror in one transaction: pages show the old one until the new one is whole."""
    start(node)
    from portal.reactor.follow import rebuild

    typer.echo(f"replayed {rebuild()} events")


@backup_app.command()
def backup(file: Path = FILE, node: Path | None = ANY_NODE, ledger: Path | None = LEDGER) -> None:
    """Copy a node's store, or with --ledger an embedded ledger, to FILE while it is in use.

    A node's key files are not in it: keep them elsewhere. A ledger's backup HOLDS ITS KEYS: guard it like them.
    """
    if ledger is not None:
        from ledger.embedded import backup as ledgers

        done = ledgers.back_up(ledger, file)
        typer.echo(f"wrote {file}: {done.height} blocks AND ALL KEYS of the ledger; whoever reads it can sign as it")
        return
    start(needed(node))
    from portal.backups import back_up

    back_up(file)
    typer.echo(f"wrote {file}; keep the node's key files elsewhere, without them it opens no secret")


@restore_app.command()
def restore(
    file: Path = BACKUP,
    after: bool = typer.Option(
        False, help="The database is back already: only follow the ledger and mark what is lost."
    ),
    node: Path | None = ANY_NODE,
    ledger: Path | None = LEDGER,
) -> None:
    """Put FILE back onto an empty store, follow the ledger, and mark attempts the store no longer knows as lost.

    With --ledger: put an embedded ledger back into an empty directory.
    """
    if after == (file is not None) or (after and ledger is not None):
        raise typer.BadParameter("give a FILE, or --after with a node")
    if ledger is not None:
        from ledger.embedded import backup as ledgers

        done = ledgers.restore(file, ledger)
        typer.echo(f"restored {done.height} blocks; a node that has seen more of them refuses this ledger as too old")
        return
    start(needed(node))
    from portal import backups
    from portal.reactor.follow import catch_up

    if after:
        catch_up()
    lost = backups.mark_lost() if after else backups.restore(file)
    typer.echo(f"restored; {lost} attempts are marked lost and will not be made again")


def needed(node: Path | None) -> Path:
    if node is None:
        raise typer.BadParameter("name the node's settings file (--node), or a ledger's directory (--ledger)")
    return node
