"""`covenant ledger export`, `ledger verify`, `receipt verify`, `proof verify`.

Verifying needs the file and the genesis digest alone. Errors leave as CovenantError; covenant.py prints them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.errors import LedgerError
from ledger.verify import claims, source
from ledger.verify.errors import failed
from ledger.verify.export import export as export_blocks
from ledger.verify.report import Report
from ledger.verify.verification import verify as verify_ledger

app = typer.Typer(add_completion=False, no_args_is_help=True)
receipt_app = typer.Typer(add_completion=False, no_args_is_help=True, help="Check a patient's consent receipt offline.")
proof_app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Check a proof of being in a round, or of not being in it, offline.",
)

Genesis = Annotated[str, typer.Option("--genesis", help="SHA-256 of the genesis block, from somebody you trust (hex).")]
Ledger = Annotated[Path, typer.Option("--ledger", help="The ledger's export (ledger.blocks).")]
Heads = Annotated[
    list[str] | None,
    typer.Option("--head", help="HEIGHT:HASH that you hold, from a receipt or certificate; repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes for signatures; 0: as many as pay.")]


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to write the blocks.")],
    *,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The directory of a demo, a node, a ledger or a Fabric network.")
    ] = None,
    org: Annotated[str, typer.Option(help="Of a Fabric network: whose peer to ask, as that organisation.")] = "",
    peer: Annotated[str, typer.Option(help="HOST:PORT of a Fabric peer, instead of --dir.")] = "",
    tls_ca: Annotated[Path | None, typer.Option(help="PEM file of the authority of the peer's TLS.")] = None,
    identity: Annotated[Path | None, typer.Option(help="MSP folder of who asks.")] = None,
    tls_client: Annotated[Path | None, typer.Option(help="Folder with server.pem, server.key to show it.")] = None,
    channel: Annotated[str, typer.Option(help="The channel, with --peer.")] = "covenant",
    as_json: AsJson = False,
) -> None:
    """Write all blocks of a running ledger to FILE, whole or not at all."""
    if peer and tls_ca and identity:
        place = source.Source(peer, tls_ca, identity, channel, tls_client)
    elif directory and not peer:
        place = source.find(directory, org)
    else:
        raise LedgerError("source.missing", "name --dir, or --peer with --tls-ca, --identity and --tls-client")
    with place.connect() as gateway:
        blocks = export_blocks(gateway, file)
    _say({"ok": True, "file": str(file), "blocks": blocks}, [f"{blocks} blocks written to {file}"], as_json)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The export.")],
    genesis: Genesis,
    head: Heads = None,
    workers: Workers = 0,
    as_json: AsJson = False,
) -> None:
    """Check everything in an export: chain, signatures, policies, verdicts, and the contracts run again."""
    report = verify_ledger(file, genesis, _heads(head or []), workers=workers or None).report
    _say(report.as_json(), _lines(report), as_json)


@receipt_app.callback()
@proof_app.callback()
def _group() -> None:
    """Keeps `verify` a command of its own."""


@receipt_app.command("verify")
def verify_receipt(
    file: Annotated[Path, typer.Argument(help="The receipt (receipt.json).")],
    ledger: Ledger,
    genesis: Genesis,
    head: Heads = None,
    as_json: AsJson = False,
) -> None:
    """Check that the consent in a receipt stands on this ledger, and that the ledger is the one the patient saw."""
    found = claims.receipt(file, verify_ledger(ledger, genesis, _heads(head or [])))
    _say(found.as_json(), found.lines(), as_json)


@proof_app.command("verify")
def verify_proof(
    file: Annotated[Path, typer.Argument(help="The proof (proof-in.json, proof-out.json).")],
    ledger: Ledger,
    genesis: Genesis,
    head: Heads = None,
    as_json: AsJson = False,
) -> None:
    """Check that a patient was in a round, or was not, against every root that the hospital committed for it."""
    found = claims.proof(file, verify_ledger(ledger, genesis, _heads(head or [])))
    _say(found.as_json(), found.lines(), as_json)


def _heads(given: list[str]) -> list[tuple[int, str]]:
    """`HEIGHT:HASH` each; raises VerificationFailed `verify.head-malformed`."""
    heads = []
    for text in given:
        height, colon, header_hash = text.partition(":")
        if not colon or not height.isdecimal() or not height.isascii():
            raise failed("head-malformed", f"write a head as HEIGHT:HASH, such as 17:9f86d0...; this is {text!r}")
        heads.append((int(height), header_hash.lower()))
    return heads


def _lines(report: Report) -> list[str]:
    seconds = report.seconds
    return [
        f"The ledger {report.channel!r} verifies. Head: {report.height}:{report.head_hash}",
        "",
        "Proven:",
        *(f"  + {sentence}" for sentence in report.proven()),
        "Not proven:",
        *(f"  - {sentence}" for sentence in report.not_proven()),
        "",
        f"Contract code installed here: {report.contract_code}",
        *(
            f"Contract code from block {each.block}, transaction {each.transaction} on: {each.version}"
            + (f", approved by {', '.join(each.approved)}" if each.approved else "")
            for each in report.code_changes
        ),
        *(
            f"Members from block {each.block} on, signed by {', '.join(each.signers)}: "
            f"hospitals {', '.join(each.hospitals)}; institutes {', '.join(each.institutes) or 'none'}"
            for each in report.config_changes
        ),
        f"{report.transactions} transactions in {seconds['total']:.2f} s, of which replay {seconds['replay']:.2f} s.",
    ]


def _say(value: dict[str, Any], lines: list[str], as_json: bool) -> None:
    typer.echo(json.dumps(value) if as_json else "\n".join(lines))


__all__ = ["LedgerError", "app", "proof_app", "receipt_app"]
