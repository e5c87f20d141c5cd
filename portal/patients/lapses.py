"""Consents that end by themselves: noticed once, written down, logged, and whoever should be asked is asked again.

Nothing of it goes to the ledger: when a guardian's yes lapses would tell a birthday. The gate does not wait for this
either: it looks at the clocks itself.
"""

from __future__ import annotations

from datetime import UTC, datetime

import structlog
from django.db.models import Exists, OuterRef, Q, QuerySet

from consent import mandate as mandates
from portal.patients.models import Grant, Status

log = structlog.get_logger(__name__)
MOST = 2_000
OVER = frozenset({"age.ask-again", "mandate.not-held"})  # unlike what another's yes mends


def notice(now: datetime | None = None) -> int:
    """Mark every standing grant that is over by `now`; returns how many."""
    now = now or datetime.now(UTC)
    over = Q(valid_until__lt=f"{now:%Y-%m}")
    bounded = Q(patient__sealed_age__isnull=False) | Q(mandate__isnull=False)
    found = Grant.objects.filter(over | bounded, status=Status.RECORDED, local_withdrawn_at=None, lapse="")
    count = 0
    for grant in found.select_related("mandate", "patient").order_by("made")[:MOST]:
        if rule := rule_of(grant, now):
            count += Grant.objects.filter(pk=grant.pk, lapse="").update(lapse=rule, lapsed_at=now)
            log.info("consent lapsed", code=rule)
    return count


def rule_of(grant: Grant, now: datetime) -> str | None:
    """The rule by which `grant` is over, or None."""
    if grant.valid_until < f"{now:%Y-%m}":
        return "consent.expired"
    if grant.mandate is not None and grant.mandate.ended is not None:
        return "mandate.not-held"
    details = grant.opened()
    age = details.age or grant.patient.age
    rule = mandates.silenced(age, details.mandate, grant.preset, grant.recorded_at, int(now.timestamp()))
    return rule if rule in OVER else None


def to_ask_again() -> QuerySet[Grant]:
    """One consent of each patient that ended by itself and that nobody has spoken about since, the newest first.

    Spoken has the patient, or whoever said it before: what they said then stands, or they took it back.
    """
    told = Q(mandate=None) | Q(mandate=OuterRef("mandate")) | ~Q(lapse="")  # or it is the later of two that ended
    since = Grant.objects.filter(told, patient=OuterRef("patient"), made__gt=OuterRef("made"))
    spoken = Exists(since.exclude(status=Status.REFUSED))
    ended = Grant.objects.exclude(lapse="").filter(~spoken, local_withdrawn_at=None)
    return ended.exclude(status=Status.WITHDRAWN).order_by("-lapsed_at")
