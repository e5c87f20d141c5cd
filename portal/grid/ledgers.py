"""The ledger as training asks for it (training.federation.studies), over this node's mirror and its own identity."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from portal import ledger
from portal.reactor import selectors as mirror
from portal.reactor import witness
from portal.reactor.models import Record
from training.federation.studies import Entry

POLL = 0.01  # seconds between two looks at the mirror
CONSORTIUM = "members/consortium"


class Mirror:
    """LedgerView over the reactor's tables."""

    def check(self) -> None:
        """Raises OtherLedger where the ledger lacks what this node has seen, LedgerUnavailable where it is away."""
        witness.check()

    def header_hash(self, height: int) -> str | None:
        """Raises LedgerUnavailable."""
        return witness.header_hash(height)

    def height(self) -> int:
        return mirror.height()

    def entry(self, key: str) -> Entry | None:
        found = Record.objects.filter(key=key).values_list("body", "block").first()
        return None if found is None else Entry(*found)

    def entries(self, prefix: str) -> Mapping[str, Entry]:
        rows = mirror.standing(prefix).values_list("key", "body", "block")
        return {key: Entry(body, block) for key, body, block in rows}

    def reached(self, block: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.height() < block:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True


class Signer:
    """LedgerWriter as this node's identity for `role`."""

    def __init__(self, role: str) -> None:
        self._role = role

    def submit(self, function: str, arguments: Mapping[str, Any]) -> int:
        """Raises Refused with the contract's code, LedgerUnavailable where the outcome is not known: ask again."""
        return ledger.submit(self._role, function, arguments).block


def hospitals() -> tuple[str, ...]:
    """The MSP ids of the consortium's hospitals as this node's mirror has them; its peers' before the founding."""
    if body := mirror.record(CONSORTIUM):
        return tuple(body["hospitals"])
    return tuple(peer.msp for peer in settings.NODE.peers)
