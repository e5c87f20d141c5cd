"""A hospital's end: one message in, its answer out. Built once a worker; importing it imports torch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache

import structlog
from django.conf import settings

from consent.errors import CovenantError
from portal.grid.blobs import BrokerBlobs
from portal.grid.folders import attempts_folder, public_weights_folder, vectors_folder
from portal.grid.ledgers import Mirror, Signer, hospitals
from portal.grid.stores import Cohorts, Consents, RecordFiles
from portal.grid.transport import Replies
from portal.patients import vault
from training.federation import flower
from training.federation.chain import Chain
from training.federation.messages import Request
from training.federation.studies import Studies
from training.federation.vectors import Vector
from training.models import heart, registry
from training.site.agent import SiteAgent
from training.site.attempts import FileAttempts, FileVectors
from training.site.code import code_digest
from training.site.trainer import SiteTrainer, alike, rehearsed


def warm() -> None:
    """Import and try what the first round would otherwise wait for: one private step on made-up records."""
    vault.keep_opened()
    agent()
    rehearsed(alike(registry.configuration(heart.DEFAULTS.configuration())))


log = structlog.get_logger(__name__)


def answer(message: bytes, message_id: str) -> None:
    """Flower's ClientApp of this hospital on one message; its answer goes to the broker under `message_id`."""
    made = flower.deliver(flower.client_app(settings.NODE.msp, handle), blobs(), message)
    Replies(settings.NODE.broker.url).put(settings.NODE.msp, message_id, made)


def handle(request: Request) -> tuple[Mapping[str, str], Vector | None]:
    """The agent's answer. What a refusal says in words stays in this hospital's log: only its code travels."""
    try:
        given = agent().handle(request)
    except CovenantError as error:
        log.warning("message refused", kind=request.kind, study=request.study, round=request.round, code=error.code)
        raise
    return given.facts, given.vector


@cache
def agent() -> SiteAgent:
    view = Mirror()
    return SiteAgent(
        msp=settings.NODE.msp,
        code=code_digest(),
        clock=time.time,
        ledger=view,
        writer=Signer("site"),
        consents=Consents(),
        records=RecordFiles(),
        cohorts=Cohorts(),
        attempts=FileAttempts(attempts_folder()),
        blobs=blobs(),
        chain=Chain(Studies(view), blobs(), FileVectors(vectors_folder())),
        trainer=SiteTrainer(settings.NODE.device),
        public_weights=public_weights_folder(),
    )


@cache
def blobs() -> BrokerBlobs:
    return BrokerBlobs(settings.NODE.broker.url, settings.NODE.msp, hospitals())
