"""`covenant consent`: what an operator checks about the rules of consent, and what rests on one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consent import by_file, keys, mondo
from consent.diseases import DISEASES
from consent.encoding import to_base64url
from portal import own_key
from portal.cli import NODE, start
from portal.errors import PortalError

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """Check what the rules of consent rest on, and say what rests on a consent."""


@app.command()
def diseases(file: Annotated[Path, typer.Argument(help="The ontology's own file, mondo.obo.")]) -> None:
    """Hold the diseases bundled here against the Mondo ontology's own file. Exit status 1 where they disagree."""
    try:
        with file.open(encoding="utf-8") as lines:
            found = mondo.differences(mondo.read_obo(lines))
    except (FileNotFoundError, IsADirectoryError, PermissionError, UnicodeDecodeError):
        raise PortalError("mondo.unreadable", f"{file} cannot be read: give the ontology's mondo.obo") from None
    for sentence in found:
        typer.echo(sentence)
    if found:
        raise typer.Exit(1)
    typer.echo(f"The {len(DISEASES)} diseases bundled here stand in this file as they stand here.")


@app.command()
def publish(
    version: Annotated[str, typer.Argument(help="The text's id, such as heart-2026.1.")], node: Path = NODE
) -> None:
    """Publish a consent text, all its languages, once it is easy enough to read. It can never be changed after."""
    start(node, "hospital")
    from portal.patients import texts

    block = texts.publish(version).block
    typer.echo(f"{version} stands in block {block}, in {', '.join(texts.languages(version))}.")


@app.command("new-key")
def new_key(file: Annotated[Path, typer.Argument(help="The file to write: your key, for you alone.")]) -> None:
    """Make a key of your own to sign consents with, on your own computer, and print its public half."""
    typer.echo(to_base64url(keys.public_bytes(own_key.create(file))))


@app.command()
def sign(
    file: Annotated[Path, typer.Argument(help="The file to sign, as the hospital's page gave it.")],
    key: Annotated[Path, typer.Option(help="Your key's file, as new-key wrote it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Show what a consent or withdrawal says, and print your signature of it. Nothing else is ever signed."""
    private = own_key.read(key)
    asked = by_file.ToSign.read(own_key.content(file))
    message = asked.message(keys.public_bytes(private))
    typer.echo("\n".join(asked.lines()), err=True)
    if not yes:
        typer.confirm("Sign this?", abort=True, err=True)
    typer.echo(to_base64url(keys.sign(private, message)))


@app.command()
def impact(
    commitment: Annotated[str, typer.Argument(help="The consent's number in the ledger: 64 hexadecimal digits.")],
    node: Path = NODE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what rests on a consent of this hospital: studies, rounds, models, epsilon, permissions.

    It tells what one patient's record was used for: print it for that patient or their hospital alone.
    """
    start(node, "hospital")
    from consent import canonical
    from portal.patients.impact import of_commitment

    found = of_commitment(commitment)
    typer.echo(canonical.encode(found).decode() if as_json else "\n".join(found.lines()))
