"""One attempt of one round, and what each site adds to it.

State: `studies/round/<uuid>/<round>/<attempt>` -> Round, `studies/cohort/<uuid>/<round>/<attempt>/<msp>` -> Cohort,
`studies/update/<uuid>/<round>/<attempt>/<msp>` -> Update,
`studies/measurement/<uuid>/<round>/<attempt>/<msp>` -> Measurement.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from consent.canonical import Document
from ledger.contracts.fields import Code, Count, Digest, Seconds, Signed, Uuid
from ledger.contracts.functions import Role
from ledger.contracts.members import carries
from ledger.contracts.reservations import Event
from ledger.contracts.state import Ledger
from ledger.contracts.study import Study
from ledger.errors import Refused

RoundKind = Literal["training", "evaluation"]
Number = Annotated[int, Meta(ge=1, le=100_000, description="a round or attempt, counted from 1")]


class Round(Document, frozen=True):
    """An attempt. `base`: digest of the model that enters. `sites`: fixed when the cohorts are in, sorted.

    `update_deadline` counts from the fixing; until then it tells the latest it can be. `withdrawals`: the last one of
    each of the plan's hospitals when this was opened, where the plan discards attempts for them; else nothing.
    """

    study: Uuid
    round: Number
    attempt: Number
    kind: RoundKind
    status: Literal["open", "training", "closed", "aborted"]
    opened: Seconds
    cohort_deadline: Seconds
    update_deadline: Seconds
    sites: tuple[str, ...]
    base: Digest
    model: Digest | None
    reason: Code | None
    withdrawals: dict[str, Digest]


class Cohort(Document, frozen=True):
    """A site's answer to an open round: the root of its cohort and the size's bucket, or declined, without a reason."""

    study: Uuid
    round: Number
    attempt: Number
    hospital: str
    dataset: str
    version: Count
    root: Digest | None
    bucket: str | None
    declined: bool
    committed: Seconds


class Update(Document, frozen=True):
    """A site's noised update, by digest, with the event it spent in the same transaction."""

    study: Uuid
    round: Number
    attempt: Number
    hospital: str
    digest: Digest
    event: Event
    updated: Seconds


class Measurement(Document, frozen=True):
    """A site's noised counts of the evaluation, with the event they spent in the same transaction."""

    study: Uuid
    round: Number
    attempt: Number
    hospital: str
    correct: Signed
    total: Signed
    event: Event
    measured: Seconds


def round_key(study: str, number: int, attempt: int) -> str:
    return f"studies/round/{study}/{number}/{attempt}"


def cohort_key(study: str, number: int, attempt: int, hospital: str) -> str:
    return f"studies/cohort/{study}/{number}/{attempt}/{hospital}"


def update_key(study: str, number: int, attempt: int, hospital: str) -> str:
    return f"studies/update/{study}/{number}/{attempt}/{hospital}"


def measurement_key(study: str, number: int, attempt: int, hospital: str) -> str:
    return f"studies/measurement/{study}/{number}/{attempt}/{hospital}"


def require_round(ledger: Ledger, study: str, number: int, attempt: int) -> Round:
    """The attempt; refuses `studies.round-unknown`."""
    standing = ledger.find(round_key(study, number, attempt), Round)
    if standing is None:
        raise Refused(
            "studies.round-unknown", "this round was never opened", study=study, round=number, attempt=attempt
        )
    return standing


def require_phase(attempt: Round, *statuses: str) -> None:
    """Refuses `studies.round-status`."""
    if attempt.status not in statuses:
        raise Refused(
            "studies.round-status",
            f"this attempt of the round is {attempt.status}",
            status=attempt.status,
            needed=list(statuses),
        )


def require_fixed_site(ledger: Ledger, attempt: Round) -> str:
    """The caller's hospital, one of the attempt's fixed sites; refuses `studies.not-in-round`."""
    hospital = ledger.creator.organisation
    if hospital not in attempt.sites:
        raise Refused(
            "studies.not-in-round", "this hospital is not among the fixed sites of the attempt", hospital=hospital
        )
    return hospital


def require_runner(ledger: Ledger, study: Study, *, or_after: int | None) -> None:
    """Return quietly for the sponsor's runner, and from `or_after` (epoch seconds) on for any member.

    Refuses `studies.not-sponsor`.
    """
    if ledger.creator.organisation == study.sponsor and carries(ledger, Role.RUNNER):
        return
    if or_after is None or ledger.now < or_after:
        raise Refused(
            "studies.not-sponsor",
            "until its deadline has passed, only the sponsor's runner moves a round",
            sponsor=study.sponsor,
            deadline=or_after,
        )
