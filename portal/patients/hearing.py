"""Saying on the ledger that a withdrawal has arrived here: every hospital does, whosever patient it is.

A patient sees who has heard, each with a time that the ledger keeps. Nothing is said before this hospital's own store
has it: what is acknowledged is in no cohort that is frozen here from then on.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from ledger.errors import Refused
from portal import ledger
from portal.errors import LedgerUnavailable
from portal.patients.models import Grant, Unheard

log = structlog.get_logger(__name__)
BATCH = 500  # ledger.contracts.constitution.MAX_BATCH


def arrived(commitments: Iterable[str]) -> None:
    """Note withdrawals that an event brought, in the transaction that brings them to the mirror."""
    Unheard.objects.bulk_create([Unheard(commitment=one) for one in commitments], BATCH, ignore_conflicts=True)


def said(commitments: Iterable[str]) -> None:
    """This hospital's word for these stands on the ledger."""
    names = list(commitments)
    for first in range(0, len(names), BATCH):
        Unheard.objects.filter(commitment__in=names[first : first + BATCH]).delete()


def acknowledge() -> None:
    """Acknowledge what has arrived; what the ledger cannot take now is said at the next sweep."""
    waiting = list(Unheard.objects.order_by("commitment").values_list("commitment", flat=True)[:BATCH])
    counting = {one.commitment for one in Grant.objects.filter(commitment__in=waiting) if not one.is_withdrawn}
    if not (ready := [one for one in waiting if one not in counting]):
        return
    try:
        ledger.submit("site", "consents:Acknowledge", {"commitments": ready})
    except LedgerUnavailable:
        return
    except Refused as refusal:  # a peer that endorses it may be a block behind ours
        log.warning("acknowledgement refused", code=refusal.code)
        return
    said(ready)
