"""`covenant account`: whoever runs a node makes its staff's accounts, and gives an account a new password.

Patients, and those who speak for them, get their accounts at a steward's desk.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from portal.cli import NODE, start
from portal.errors import PortalError

app = typer.Typer(add_completion=False)

USERNAME = typer.Argument(help="What they sign in with.")


class Staff(StrEnum):
    steward = "steward"
    researcher = "researcher"
    auditor = "auditor"


@app.command()
def add(
    username: Annotated[str, USERNAME],
    role: Annotated[Staff, typer.Option(help="steward at a hospital; researcher or auditor at the hub.")],
    node: Path = NODE,
) -> None:
    """Make an account for one of this node's staff. The password is printed once, and nobody can read it again."""
    start(node)
    from portal.accounts.services import create_user

    _, password = create_user(username=username, role=role)
    _tell(password)


@app.command("password")
def new_password(username: Annotated[str, USERNAME], node: Path = NODE) -> None:
    """Give an account a new password, printed once, and end all its sessions: for whoever has forgotten theirs.

    The old one stops at once. Nothing that a patient signs with a passkey can be signed with it.
    """
    start(node)
    from portal.accounts.models import User
    from portal.accounts.services import set_password

    user = User.objects.filter(username=username).first()
    if user is None:
        raise PortalError("accounts.unknown", "this node has no account of that name: look at how it is written")
    _tell(set_password(user=user))


def _tell(password: str) -> None:
    from django.conf import settings

    typer.echo(f"password, shown this once: {password}")
    typer.echo(f"sign in at {settings.NODE.url}/accounts/login/ and change it there")
