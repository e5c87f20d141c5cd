"""A question about this hospital's patients waits here for the site's worker, which alone draws noise."""

from __future__ import annotations

from django.conf import settings

from portal.access.models import CountAnswer
from portal.reactor.projection import Arrival

PREFIX = "access/inquiry/"


def inquired(event: Arrival) -> None:
    """Note the question, once: an answer drawn before a rebuild of the projection stays the answer."""
    for key in event.records:
        if key.startswith(f"{PREFIX}{settings.NODE.msp}/"):
            CountAnswer.objects.get_or_create(question=key.removeprefix(PREFIX))


HANDLERS = {"access.inquired": inquired}
