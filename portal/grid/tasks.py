"""What workers do. A task never raises: what went wrong is a state or a reply, and its details stay here."""

from __future__ import annotations

import base64

import structlog
from celery import shared_task

from portal.grid.queues import ANSWER_COUNTS, DELIVER, RUN_STUDY, SWEEP

log = structlog.get_logger(__name__)


@shared_task(name=RUN_STUDY, ignore_result=True)
def run_study(study: str) -> None:
    """Run `study`, or go on with it, unless another process does."""
    from portal.grid.hub import run

    run(study)


@shared_task(name=SWEEP, ignore_result=True)
def look_around() -> None:
    from portal.grid.sweep import hub

    hub()


@shared_task(name=DELIVER, ignore_result=True)
def deliver(message: str, message_id: str) -> None:
    """One of Flower's messages, in base64; its answer waits at the broker under `message_id`."""
    from portal.grid.site import answer

    try:
        answer(base64.b64decode(message, validate=True), message_id)
    except Exception as error:  # unanswered: the hub asks again, or goes on without this site
        log.error("message not answered", error=type(error).__name__, code=getattr(error, "code", None))


@shared_task(name=ANSWER_COUNTS, ignore_result=True)
def answer_counts() -> None:
    """Answer the researchers' questions that wait at this hospital."""
    from portal.access.counts import answer_waiting
    from portal.grid.stores import Consents, RecordFiles

    answer_waiting(consents=Consents(), records=RecordFiles())
