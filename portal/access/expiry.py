"""Entitlements that end with their last day: said on the ledger, and what can no longer train under them is stopped.

A hospital speaks of its own data sets, the institute of its own requests; whoever comes first, it is said once. Nothing
waits for this: contracts, gate and pages look at the day themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from django.conf import settings

from ledger.errors import Refused
from portal import ledger
from portal.errors import LedgerUnavailable
from portal.reactor import selectors as mirror

log = structlog.get_logger(__name__)
REASON: Final = "access.expired"
TRAINS: Final = ("proposed", "approved", "running")
SPEAKER: Final = {"hospital": "site", "hub": "runner"}
CONCERNED: Final = {"hospital": "body__hospital", "hub": "body__requester"}


def notice(now: datetime | None = None) -> None:
    """Bring every end that is due at `now` to the ledger. What it cannot take now is due again at the next sweep."""
    today = f"{now or datetime.now(UTC):%Y-%m-%d}"
    try:
        for one in over(today):
            say("access:Expire", {name: one[name] for name in ("request", "dataset", "version")})
        for study in stuck():
            say("studies:Stop", {"study": study, "reason": REASON})
    except LedgerUnavailable:
        return


def over(today: str) -> list[dict[str, Any]]:
    """The entitlements of this node's organisation that still read as live after their last day."""
    own = {CONCERNED[settings.NODE.role]: settings.NODE.msp}
    found = mirror.standing("access/entitlement/").filter(body__status="live", body__until__lt=today, **own)
    return list(found.values_list("body", flat=True))


def stuck() -> Iterator[str]:
    """The studies of this node's organisation that have training to do, and no round to come for want of access."""
    expired = mirror.standing("access/entitlement/").filter(body__status="expired").values_list("key", flat=True)
    ended = frozenset(expired)
    if not ended:
        return
    for body in mirror.standing("studies/study/").filter(body__status__in=TRAINS).values_list("body", flat=True):
        plan = body["plan"]
        needed = {f"access/entitlement/{plan['request']}/{one['dataset']}/{one['version']}" for one in plan["datasets"]}
        own = {body["sponsor"], *(one["dataset"].partition("/")[0] for one in plan["datasets"])}
        if needed & ended and settings.NODE.msp in own:
            yield body["study"]


def say(function: str, arguments: dict[str, Any]) -> None:
    """Raises LedgerUnavailable. A refusal is logged: this node's clock may be ahead of the ledger's."""
    try:
        ledger.submit(SPEAKER[settings.NODE.role], function, arguments)
    except Refused as refusal:
        log.warning("end of access not taken", function=function, code=refusal.code)
