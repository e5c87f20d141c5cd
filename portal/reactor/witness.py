"""The newest block this node has seen, by its header hash: a ledger that lacks it is not the one that was followed.

An older copy that was put back, or another history, is found by whoever asks next: a site before every step of a study,
the follower every few seconds. It stays refused until the right ledger answers again; nothing here makes it pass.
"""

from __future__ import annotations

from pathlib import Path

import structlog
from django.conf import settings
from django.utils.translation import gettext_noop

from ledger.gateway import Gateway, Head
from portal import ledger
from portal.errors import PortalError
from portal.reactor.models import Position, Witness

log = structlog.get_logger(__name__)
FAULTS = {
    "portal.ledger-behind": gettext_noop(
        "this ledger is older than what this hospital has seen: stop it, restore its newest backup"
    ),
    "portal.ledger-other": gettext_noop(
        "this ledger has another history than this hospital has seen: find out who changed it"
    ),
}


class OtherLedger(PortalError):
    """`portal.ledger-behind`, `portal.ledger-other`: nothing may rest on the ledger that answers now."""


def check() -> None:
    """Return quietly if the ledger holds what was seen of it, and remember its newest block.

    Raises OtherLedger, and LedgerUnavailable where it does not answer.
    """
    code = judge()
    if code:
        if fault() != code:
            log.error("not the ledger that was followed", code=code)
            marker().write_text(code)
        raise OtherLedger(code, FAULTS[code])
    marker().unlink(missing_ok=True)


def judge() -> str:
    """What `compare` says. Of a hub's several peers one may be some blocks late: then the next one is asked, and only
    where all lack what was seen the ledger is behind. A peer with another history is never passed over.
    """
    code = ""
    for _ in settings.NODE.ledger.places:
        code = ledger.ask(ledger.reader(), compare, "head")
        if code != "portal.ledger-behind":
            break
        ledger.turn()
    return code


def compare(gateway: Gateway) -> str:
    """The code of what is wrong with the ledger behind `gateway`, or nothing, and then it is remembered."""
    seen = Witness.objects.filter(id=Witness.ONLY).first() or Witness()
    followed = Position.objects.values_list("block", flat=True).first() or 0
    head = gateway.head()
    if head.height < seen.height or head.height <= followed:
        return "portal.ledger-behind"
    if seen.height and hash_at(gateway, seen.height, head) != seen.header_hash:
        return "portal.ledger-other"
    if head.height > seen.height:
        remember(head)
    return ""


def hash_at(gateway: Gateway, height: int, head: Head) -> str:
    """The header hash (64 hex characters) of the newest block when the ledger had `height` blocks."""
    if height == head.height:
        return head.hash.hex()
    return gateway.head_at(height).hash.hex()


def header_hash(height: int) -> str | None:
    """As the ledger has it now; None where it is shorter. Raises LedgerUnavailable."""

    def look(gateway: Gateway) -> str | None:
        head = gateway.head()
        return hash_at(gateway, height, head) if 1 <= height <= head.height else None

    return ledger.ask(ledger.reader(), look, "blocks")


def remember(head: Head) -> None:
    """Keep `head`, unless another process has kept a newer one meanwhile."""
    now = {"height": head.height, "header_hash": head.hash.hex()}
    _, made = Witness.objects.get_or_create(id=Witness.ONLY, defaults=now)
    if not made:
        Witness.objects.filter(id=Witness.ONLY, height__lt=head.height).update(**now)


def fault() -> str:
    """The code of what was wrong with the ledger when it was last looked at, or nothing. Asks no ledger, no table."""
    try:
        return marker().read_text()
    except FileNotFoundError:
        return ""


def marker() -> Path:
    """There while the ledger is not the one that was followed; `covenant doctor` looks for it too."""
    return Path(settings.NODE.data) / "ledger.fault"
