"""A ledger as one file, fetched over the Deliver service that Fabric's peers and the embedded ledger both serve."""

from __future__ import annotations

from pathlib import Path

from ledger.gateway import Gateway
from ledger.verify import framing


def export(gateway: Gateway, path: Path) -> int:
    """Write every block that there is now to `path`, whole or not at all; returns the number of blocks.

    The file is as good as the chain in it: nothing is checked here, `verify` does. Raises BlocksError, LedgerError
    `export.*`.
    """
    return framing.write(path, gateway.blocks())
