"""What an auditor asks of the ledger itself: its newest block, what wrote nothing, and the whole export."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from django.http import FileResponse

from ledger import verify
from ledger.errors import LedgerError
from ledger.gateway import Gateway, GatewayError
from ledger.protocol.block import Block, open_block
from ledger.protocol.envelope import Transaction, open_envelope
from ledger.verify import flags
from portal import ledger

ROLE = "auditor"
SCANNED = 1000  # the newest blocks that a page looks through; the export holds all


@dataclass(frozen=True, slots=True)
class Chain:
    """`height`: number of blocks. `head`: its header's hash. `genesis`: SHA-256 of block 0."""

    height: int
    head: str
    genesis: str
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Invalid:
    """An ordered transaction that wrote nothing, with Fabric's name of the reason. Of one that cannot be read, as any
    client can send on Fabric, no more is known.
    """

    block: int
    tx_id: str
    function: str
    reason: str
    time: datetime | None


def chain() -> Chain:
    """How the chain stands now. Raises LedgerUnavailable."""

    def read(gateway: Gateway) -> Chain:
        first = next(gateway.blocks(0, 0))
        height = gateway.head().height
        newest = open_block(next(gateway.blocks(height - 1, height - 1)))
        return Chain(height, newest.hash.hex(), sha256(first).hexdigest(), time_of(newest))

    return ledger.ask(ROLE, read, "blocks")


def time_of(block: Block) -> datetime | None:
    """The time of the newest transaction in `block`, as its client signed it; None where it holds none that can be
    read, such as a configuration.
    """
    opened = [found for envelope in block.envelopes if (found := _open(envelope)) is not None]
    return max((moment(each.heading.seconds) for each in opened), default=None)


def invalid() -> list[Invalid]:
    """Ordered transactions that wrote nothing, newest first, of the newest SCANNED blocks. Raises LedgerUnavailable."""
    found: list[Invalid] = []
    try:
        gateway = ledger.gateway(ROLE)
        height = gateway.head().height  # block 0, the configuration, has no verdicts
        for data in gateway.blocks(max(1, height - SCANNED)) if height > 1 else ():
            block = open_block(data)
            for envelope, flag in zip(block.envelopes, block.flags, strict=True):
                if flag != flags.VALID:
                    found.append(_invalid(block.number, _open(envelope), flags.name(flag)))
    except GatewayError as error:
        raise ledger.unavailable(error, "blocks", ROLE) from error
    return found[::-1]


def exported() -> FileResponse:
    """The whole ledger as one file. It lies in a folder of its own that is gone once it is open."""
    with tempfile.TemporaryDirectory(prefix="covenant-export-") as folder:
        path = Path(folder) / "ledger.blocks"
        ledger.ask(ROLE, lambda gateway: verify.export(gateway, path), "blocks")
        return FileResponse(path.open("rb"), as_attachment=True, filename="ledger.blocks")


def _invalid(number: int, opened: Transaction | None, reason: str) -> Invalid:
    if opened is None:
        return Invalid(number, "", "", reason, None)
    function = opened.args[0].decode(errors="replace")
    return Invalid(number, opened.heading.tx_id, function, reason, moment(opened.heading.seconds))


def _open(envelope: bytes) -> Transaction | None:
    try:
        return open_envelope(envelope)
    except LedgerError:
        return None


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
