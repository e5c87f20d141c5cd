"""What the ledger's events mean for this hospital's grants: recorded, and withdrawn wherever it was handed in."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from portal.patients import hearing, lapses, sending
from portal.patients.models import Grant, HandedIn, Status, Unheard
from portal.reactor.projection import Arrival
from training.site.gate import BY_PATIENT


def recorded(events: list[Arrival]) -> None:
    """Pending grants of ours become recorded. Most events are other hospitals': one query for a run finds that out."""
    changed = []
    for grant, event, record in ours(events):
        grant.status = Status.RECORDED if record["status"] == "active" else Status.WITHDRAWN
        grant.refusal = ""
        grant.tx_id, grant.recorded_block, grant.recorded_at = event.tx_id, event.block, record["recorded"]
        changed.append(grant)
    Grant.objects.bulk_update(changed, ["status", "refusal", "tx_id", "recorded_block", "recorded_at"], batch_size=100)


def withdrawn(events: list[Arrival]) -> None:
    """The first withdrawal's block counts, whoever it was by; a patient's own may come after the registrar's."""
    changed, first = [], commitments(events[::-1])
    for grant, _, record in ours(events):
        if grant.withdrawn_block is None:
            grant.withdrawn_block = first[grant.commitment][0].block
        grant.status = Status.WITHDRAWN
        grant.withdrawn_at, grant.withdrawn_by = record["withdrawn"], record["withdrawn_by"]
        changed.append(grant)
    Grant.objects.bulk_update(changed, ["status", "withdrawn_block", "withdrawn_at", "withdrawn_by"], batch_size=100)
    known = commitments(events)
    hearing.arrived(known)
    for handed in HandedIn.objects.filter(withdrawn_block=None).only("commitment"):  # few: waiting for their event
        event, record = known.get(handed.commitment, (None, {}))
        if event is not None and record["withdrawn_by"] in BY_PATIENT:
            HandedIn.objects.filter(pk=handed.pk).update(withdrawn_block=event.block)


def heard(events: list[Arrival]) -> None:
    """What this hospital has acknowledged, now or before a rebuild, is not said again."""
    own = [record for event in events for record in event.records.values() if record["hospital"] == settings.NODE.msp]
    hearing.said(record["commitment"] for record in own)


def rekeyed(events: list[Arrival]) -> None:
    """A lost key was replaced: from now on the hospital alone attests the grant."""
    changed = []
    for grant, _, record in ours(events):
        grant.rekeyed_at, grant.attestation = record["rekeyed"], record["attestation"]
        changed.append(grant)
    Grant.objects.bulk_update(changed, ["rekeyed_at", "attestation"], batch_size=100)


def ours(events: list[Arrival]) -> list[tuple[Grant, Arrival, dict[str, Any]]]:
    """This hospital's grants among the events' records, each with the last event about it."""
    known = commitments(events)
    names, found = list(known), []
    for first in range(0, len(names), 500):  # SQLite takes so many values in one query
        rows = Grant.objects.filter(commitment__in=names[first : first + 500]).order_by()
        found += list(rows.only("commitment", "status", "withdrawn_block"))
    return [(grant, *known[grant.commitment]) for grant in found]


def commitments(events: list[Arrival]) -> dict[str, tuple[Arrival, dict[str, Any]]]:
    return {
        key.removeprefix("consents/"): (event, record)
        for event in events
        for key, record in event.records.items()
        if record is not None and key.count("/") == 1
    }


def reset() -> None:
    """As before the first event. What patients did here (`local_withdrawn_at`) is not the ledger's, and stays."""
    Grant.objects.exclude(status=Status.REFUSED).update(
        status=Status.PENDING,
        recorded_block=None,
        recorded_at=None,
        withdrawn_block=None,
        withdrawn_at=None,
        withdrawn_by="",
        rekeyed_at=None,
    )
    HandedIn.objects.update(withdrawn_block=None)
    Unheard.objects.all().delete()


def sweep() -> None:
    sending.sweep()
    lapses.notice()
    hearing.acknowledge()


RUN_HANDLERS = {
    "consents.recorded": recorded,
    "consents.withdrawn": withdrawn,
    "consents.heard": heard,
    "consents.rekeyed": rekeyed,
}
