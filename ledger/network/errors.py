"""What goes wrong with a network: codes `network.*`, each message one sentence that says what mends it."""

from __future__ import annotations

from ledger.errors import LedgerError


class NetworkError(LedgerError):
    """A network that cannot be founded, started, changed or understood."""
