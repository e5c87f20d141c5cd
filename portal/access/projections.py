"""What the ledger says of access: a question about patients waits for the site's worker, which alone draws noise; an
entitlement that ended is told in the log of everybody who runs a node."""

from __future__ import annotations

import structlog
from django.conf import settings

from portal.access import expiry
from portal.access.models import CountAnswer
from portal.reactor.projection import Arrival

log = structlog.get_logger(__name__)
PREFIX = "access/inquiry/"


def inquired(event: Arrival) -> None:
    """Note the question, once: an answer drawn before a rebuild of the projection stays the answer."""
    for key in event.records:
        if key.startswith(f"{PREFIX}{settings.NODE.msp}/"):
            CountAnswer.objects.get_or_create(question=key.removeprefix(PREFIX))


def expired(event: Arrival) -> None:
    """Tell whoever looks after this node; its pages tell the people."""
    if event.live:
        for body in event.records.values():
            log.info("access ended", dataset=body["dataset"], version=body["version"], until=body["until"])


def sweep() -> None:
    expiry.notice()


HANDLERS = {"access.inquired": inquired, "access.expired": expired}
