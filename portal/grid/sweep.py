"""Work left behind: found in the ledger's mirror and in leases, never in what a broker promised to deliver again."""

from __future__ import annotations

import structlog
from django.db import close_old_connections

from portal.grid import leases
from portal.grid.models import State, StudyRun
from portal.grid.queues import RUN_STUDY

log = structlog.get_logger(__name__)


def hub() -> None:
    """Ask for every study that should run and that no living process holds; one whose embargo is over goes on."""
    from portal.grid import embargoes
    from portal.grid.celery import app
    from portal.grid.hub import start_study

    def look() -> None:
        for study in embargoes.over():
            start_study(study)
        for run in StudyRun.objects.filter(state__in=(State.QUEUED, State.RUNNING)):
            if not leases.is_held(run):
                app.send_task(RUN_STUDY, args=[str(run.study)], queue="hub", expires=30, ignore_result=True)

    guarded(look)


def site() -> None:
    """Ask for the counts that wait for this hospital's answer."""
    from django.conf import settings

    from portal.access.models import CountAnswer
    from portal.grid.celery import app
    from portal.grid.queues import ANSWER_COUNTS, queue_of

    def look() -> None:
        if CountAnswer.objects.filter(sent=False, refusal="").exists():
            app.send_task(ANSWER_COUNTS, queue=queue_of(settings.NODE.msp), expires=5, ignore_result=True)

    guarded(look)


def guarded(look: object) -> None:
    """A sweep that fails is tried again; it must not end the timer."""
    assert callable(look)
    close_old_connections()
    try:
        look()
    except Exception as error:
        log.warning("sweep failed", error=type(error).__name__)
    finally:
        close_old_connections()
