"""What the ledger's events mean for this hospital's grants: recorded, and withdrawn wherever it was handed in."""

from __future__ import annotations

from typing import Any

from portal.patients import sending
from portal.patients.models import Grant, HandedIn, Status
from portal.reactor.projection import Arrival


def recorded(event: Arrival) -> None:
    """Pending grants of ours become recorded. Most events are other hospitals': one query finds that out."""
    for grant, record in ours(event):
        grant.status = Status.RECORDED if record["status"] == "active" else Status.WITHDRAWN
        grant.refusal = ""
        grant.tx_id, grant.recorded_block, grant.recorded_at = event.tx_id, event.block, record["recorded"]
        grant.save(update_fields=["status", "refusal", "tx_id", "recorded_block", "recorded_at"])


def withdrawn(event: Arrival) -> None:
    for grant, record in ours(event):
        grant.status, grant.withdrawn_block = Status.WITHDRAWN, event.block
        grant.withdrawn_at, grant.withdrawn_by = record["withdrawn"], record["withdrawn_by"]
        grant.save(update_fields=["status", "withdrawn_block", "withdrawn_at", "withdrawn_by"])
    HandedIn.objects.filter(commitment__in=commitments(event)).update(withdrawn_block=event.block)


def ours(event: Arrival) -> list[tuple[Grant, dict[str, Any]]]:
    """This hospital's grants among the event's records."""
    records = commitments(event)
    found = Grant.objects.filter(commitment__in=records).defer("details", "secret", "code")
    return [(grant, records[grant.commitment]) for grant in found]


def commitments(event: Arrival) -> dict[str, dict[str, Any]]:
    return {key.removeprefix("consents/"): record for key, record in event.records.items() if record is not None}


def reset() -> None:
    """As before the first event. What patients did here (`local_withdrawn_at`) is not the ledger's, and stays."""
    Grant.objects.exclude(status=Status.REFUSED).update(
        status=Status.PENDING,
        recorded_block=None,
        recorded_at=None,
        withdrawn_block=None,
        withdrawn_at=None,
        withdrawn_by="",
    )
    HandedIn.objects.update(withdrawn_block=None)


sweep = sending.sweep
HANDLERS = {"consents.recorded": recorded, "consents.withdrawn": withdrawn}
