"""The hub's side: a study is asked for here (any process), and run here (the hub's worker, which imports Flower).

Asking needs no torch and no flwr. Everything a run knows stands on the ledger, in the blobs and in `StudyRun`, so a run
goes on wherever a killed one stopped.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from consent.errors import CovenantError
from ledger.gateway import GatewayError
from portal.errors import UNAVAILABLE, PortalError
from portal.grid import leases
from portal.grid.blobs import BrokerBlobs
from portal.grid.broker import HUB
from portal.grid.ledgers import Mirror, Signer, hospitals
from portal.grid.models import State, StudyRun
from portal.grid.queues import RUN_STUDY
from portal.grid.transport import CeleryTransport, Replies

log = structlog.get_logger(__name__)
TRANSIENT = UNAVAILABLE | {"rounds.projection-stale", "rounds.unconfirmed", "hub.lease-lost"}
HOLDS = {"hub.held", "studies.embargo"}  # nothing is wrong: the researcher goes on another day
TRIES = 20  # a study that failed this often for want of a ledger, broker or site waits for somebody to ask again


def start_study(study: str, hold_after: int | None = None) -> None:
    """Ask the hub's worker to run `study`, or to go on with it. Asked twice it runs once; a failed or held run goes on.

    `hold_after`: open no training round beyond this one until asked again.
    """
    with transaction.atomic():
        run, made = StudyRun.objects.select_for_update().get_or_create(study=study)
        run.hold_after = hold_after
        if not made and run.state in (State.FAILED, State.QUEUED, State.HELD):
            run.state, run.reason, run.message, run.tries = State.QUEUED, "", "", 0
        run.save()
    send(study)


def check_hold(study: str, number: int) -> None:
    """Raise PortalError `hub.held` when the researcher wants no round `number` yet."""
    hold_after = StudyRun.objects.values_list("hold_after", flat=True).get(study=study)
    if hold_after is not None and number > hold_after:
        raise PortalError("hub.held", f"held after round {hold_after}, as asked: go on when you like")


def send(study: str) -> None:
    """Tell the worker at once; if the broker is away, the worker's sweep finds the row."""
    from portal.grid.celery import app

    try:
        app.send_task(RUN_STUDY, args=[study], queue="hub", expires=60, ignore_result=True)
    except (OperationalError, RedisError):
        log.warning("broker away, left to the sweep", study=study)


def blobs() -> BrokerBlobs:
    """Where the hub puts vectors: a plan's initial weights when it is proposed, then each round's model."""
    return BrokerBlobs(settings.NODE.broker.url, HUB, hospitals())


def run(study: str) -> None:
    """Run `study` to its release under its lease, and note how it ended. Never raises for what a study can meet."""
    try:
        with leases.held(study) as alive:
            if StudyRun.objects.filter(study=study, state__in=(State.FINISHED, State.FAILED)).exists():
                return
            note(study, State.RUNNING)
            try:
                finish(study, alive)
            except CovenantError as error:
                failed(study, error)
            except Exception as error:  # a fault of ours: say so on the page, keep the details in the log
                log.error("study failed", study=study, exc_info=error)
                note(study, State.FAILED, "hub.failed", "the study stopped for a fault in this program: see the log")
            else:
                note(study, State.FINISHED)
    except CovenantError as error:
        log.info("not run", study=study, code=error.code)


def finish(study: str, alive: Callable[[], None]) -> None:
    """All rounds, then the release: real Flower from end to end, over Celery."""
    from portal.grid.celery import app
    from portal.grid.release import certify, publish
    from training.federation.chain import Chain, MemoryVectors
    from training.federation.flower import FlowerFederation, TransportGrid, context, server_app
    from training.federation.rounds import StudyRunner
    from training.federation.studies import Studies

    view, vectors = Mirror(), blobs()
    plan = Studies(view).study(study).plan
    grid = TransportGrid(CeleryTransport(app, Replies(settings.NODE.broker.url)), vectors, plan.sites)
    runner = StudyRunner(
        ledger=view,
        writer=Signer("runner"),
        federation=FlowerFederation(grid),
        blobs=vectors,
        chain=Chain(Studies(view), vectors, MemoryVectors()),
        certify=certify,
        alive=alive,
        before=lambda number: check_hold(study, number),
    )
    server_app(lambda _grid, _context: publish(study, runner.run(study)))(grid, context())


def failed(study: str, error: CovenantError) -> None:
    """A study that met an absent part is queued again, so long as it makes sense; any other refusal ends the run."""
    if error.code in HOLDS:
        note(study, State.HELD, error.code, error.message)
        return
    log.warning("study stopped", study=study, code=error.code)
    tries = StudyRun.objects.get(study=study).tries
    if (error.code in TRANSIENT or isinstance(error, GatewayError)) and tries < TRIES:
        StudyRun.objects.filter(study=study).update(tries=tries + 1)
        note(study, State.QUEUED, error.code, error.message)
    else:
        note(study, State.FAILED, error.code, error.message)


def note(study: str, state: State, reason: str = "", message: str = "") -> None:
    StudyRun.objects.filter(study=study).update(state=state, reason=reason, message=message, changed=timezone.now())
