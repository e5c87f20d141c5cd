"""The rounds of a study: opened, fixed, closed or aborted. What sites add to a round: `contributions`.

The head of a study says which attempt is the last; every transition checks it, so that one attempt runs at a time.
"""

from __future__ import annotations

from msgspec.structs import replace

from consent.canonical import Document
from ledger.contracts import exposure
from ledger.contracts import study as studies
from ledger.contracts.fields import Code, Digest, Uuid
from ledger.contracts.functions import ANY_ROLE, Contract, Role, query, transaction
from ledger.contracts.grants import last_withdrawals
from ledger.contracts.plans import check_usable
from ledger.contracts.round import (
    Cohort,
    Measurement,
    Number,
    Round,
    RoundKind,
    Update,
    cohort_key,
    measurement_key,
    require_phase,
    require_round,
    require_runner,
    round_key,
    update_key,
)
from ledger.contracts.state import Ledger
from ledger.contracts.study import Approval, Head, Study
from ledger.errors import Refused


class RoundView(Document, frozen=True):
    """An attempt with everything the sites have added to it, each list by MSP id."""

    round: Round
    cohorts: tuple[Cohort, ...]
    updates: tuple[Update, ...]
    measurements: tuple[Measurement, ...]


class Rounds(Contract):
    """The sponsor's runner opens and closes; a deadline that has passed lets any member clear up."""

    name = "studies"

    @transaction(role=Role.RUNNER, event="studies.opened")
    def open(self, ledger: Ledger, *, study: Uuid, round: Number, attempt: Number, kind: RoundKind) -> Round:
        """Open the next round, or a spare attempt of the last; evaluation is the round after the last training round.

        Refuses `studies.unknown`, `studies.not-sponsor`, `studies.round-kind`, `studies.wrong-status`,
        `studies.round-order`, `studies.attempts-spent`, `studies.approval-missing`, `studies.entitlement-missing`,
        `catalogue.unknown`, `catalogue.retired`, `access.duo-denied` (by the rules of today), `budget.over-cap` (a vote
        has taken a hospital's cap below what its patients may be exposed to already).
        """
        standing = studies.require(ledger, study)
        studies.require_sponsor(ledger, standing)
        if (kind == "evaluation") != (round == standing.plan.rounds + 1):
            raise Refused(
                "studies.round-kind", f"rounds 1 to {standing.plan.rounds} train, the one after them evaluates"
            )
        if known := ledger.find(round_key(study, round, attempt), Round):
            return known
        studies.require_status(standing, *(("trained",) if kind == "evaluation" else ("approved", "running")))
        head = next_head(standing, ledger.find(studies.head_key(study), Head), round, attempt)
        check_ready(ledger, standing)
        opened = opened_round(ledger, standing, head, kind)
        ledger.put(round_key(study, round, attempt), opened)
        ledger.put(studies.head_key(study), head)
        if standing.status == "approved":
            ledger.put(studies.key(study), replace(standing, status="running"))
        return opened

    @transaction(role=ANY_ROLE, event="studies.fixed")
    def fix(self, ledger: Ledger, *, study: Uuid, round: Number, attempt: Number) -> Round:
        """Fix the sites of an attempt: those with a cohort, once all have answered or the deadline has passed.

        Refuses `studies.unknown`, `studies.round-unknown`, `studies.not-sponsor`, `studies.round-status`,
        `studies.wrong-status`, `studies.cohorts-awaited`, `studies.no-quorum`, `studies.consent-withdrawn`.
        """
        standing, opened = studies.require(ledger, study), require_round(ledger, study, round, attempt)
        require_runner(ledger, standing, or_after=opened.cohort_deadline)
        if opened.status == "training":
            return opened
        require_phase(opened, "open")
        studies.require_status(standing, "running", "trained")
        hospitals = standing.plan.hospitals
        cohorts = [ledger.find(cohort_key(study, round, attempt, hospital), Cohort) for hospital in hospitals]
        awaited = [hospital for hospital, cohort in zip(hospitals, cohorts, strict=True) if cohort is None]
        if awaited and ledger.now < opened.cohort_deadline:
            raise Refused(
                "studies.cohorts-awaited",
                "wait for all answers, or for the deadline",
                hospitals=awaited,
                deadline=opened.cohort_deadline,
            )
        sites = tuple(cohort.hospital for cohort in cohorts if cohort is not None and not cohort.declined)
        if len(sites) < standing.plan.quorum:
            raise Refused(
                "studies.no-quorum",
                "too few sites take part: abort this attempt",
                sites=list(sites),
                quorum=standing.plan.quorum,
            )
        check_discarded(ledger, standing, opened, sites)
        deadline = ledger.now + standing.plan.update_seconds
        fixed = replace(opened, status="training", sites=sites, update_deadline=deadline)
        ledger.put(round_key(study, round, attempt), fixed)
        put_head(ledger, study, status="training")
        return fixed

    @transaction(role=Role.RUNNER, event="studies.closed")
    def close(self, ledger: Ledger, *, study: Uuid, round: Number, attempt: Number, model: Digest | None) -> Round:
        """Close an attempt to which every fixed site has contributed. `model`: its digest, null in evaluation.

        Refuses `studies.unknown`, `studies.round-unknown`, `studies.not-sponsor`, `studies.known-differently`,
        `studies.round-status`, `studies.wrong-status`, `studies.model`, `studies.consent-withdrawn`,
        `studies.site-missing`.
        """
        standing, fixed = studies.require(ledger, study), require_round(ledger, study, round, attempt)
        studies.require_sponsor(ledger, standing)
        if fixed.status == "closed":
            if fixed.model != model:
                raise Refused(
                    "studies.known-differently", "this round was closed with another model", model=fixed.model
                )
            return fixed
        require_phase(fixed, "training")
        studies.require_status(standing, "running", "trained")
        if (model is None) != (fixed.kind == "evaluation"):
            raise Refused("studies.model", "training closes with a model's digest, evaluation with null")
        check_discarded(ledger, standing, fixed, fixed.sites)
        if missing := [hospital for hospital in fixed.sites if not contributed(ledger, fixed, hospital)]:
            raise Refused("studies.site-missing", "these sites have not contributed: wait, or abort", hospitals=missing)
        closed = replace(fixed, status="closed", model=model)
        ledger.put(round_key(study, round, attempt), closed)
        if model is None:
            put_head(ledger, study, status="closed")
            return closed
        put_head(ledger, study, status="closed", base=model, joined=fixed.sites)
        if round == standing.plan.rounds:
            ledger.put(studies.key(study), replace(standing, status="trained"))
        return closed

    @transaction(role=ANY_ROLE, event="studies.aborted")
    def abort(self, ledger: Ledger, *, study: Uuid, round: Number, attempt: Number, reason: Code) -> Round:
        """Give an attempt up; what it spent stays spent. Any member may, once the attempt's last deadline has passed.

        Refuses `studies.unknown`, `studies.round-unknown`, `studies.not-sponsor`, `studies.round-status`.
        """
        standing, running = studies.require(ledger, study), require_round(ledger, study, round, attempt)
        require_runner(ledger, standing, or_after=running.update_deadline)
        if running.status == "aborted":
            return running
        require_phase(running, "open", "training")
        aborted = replace(running, status="aborted", reason=reason)
        ledger.put(round_key(study, round, attempt), aborted)
        put_head(ledger, study, status="aborted")
        return aborted

    @query
    def round(self, ledger: Ledger, *, study: Uuid, round: Number, attempt: Number) -> RoundView | None:
        """An attempt with the cohorts, updates and measurements of its sites, or null."""
        standing = ledger.find(round_key(study, round, attempt), Round)
        if standing is None:
            return None
        return RoundView(
            round=standing,
            cohorts=tuple(one for _, one in ledger.scan(cohort_key(study, round, attempt, ""), Cohort)),
            updates=tuple(one for _, one in ledger.scan(update_key(study, round, attempt, ""), Update)),
            measurements=tuple(one for _, one in ledger.scan(measurement_key(study, round, attempt, ""), Measurement)),
        )


def next_head(study: Study, head: Head | None, number: int, attempt: int) -> Head:
    """The head once this attempt is open.

    Refuses `studies.round-order`, `studies.attempts-spent`.
    """
    if head is None:
        first = Head(
            study=study.study,
            round=0,
            attempt=0,
            status="closed",
            base=study.plan.initial,
            spares_used=0,
            participants=(),
        )
        return next_head(study, first, number, attempt)
    if head.status == "closed" and (number, attempt) == (head.round + 1, 1):
        return replace(head, round=number, attempt=1, status="open")
    if head.status == "aborted" and (number, attempt) == (head.round, head.attempt + 1):
        if head.spares_used == study.plan.spare_attempts:
            raise Refused("studies.attempts-spent", "the plan's spare attempts are used up: stop the study")
        return replace(head, attempt=attempt, status="open", spares_used=head.spares_used + 1)
    raise Refused(
        "studies.round-order",
        "open the round after the one last closed, or the next attempt of one aborted",
        round=head.round,
        attempt=head.attempt,
        status=head.status,
    )


def check_ready(ledger: Ledger, study: Study) -> None:
    """What must hold whenever an attempt opens, of training or evaluation, the first or a spare one.

    Refuses `studies.approval-missing`, `studies.entitlement-missing`, `catalogue.unknown`, `catalogue.retired`,
    `access.duo-denied`, `budget.over-cap`.
    """
    for hospital in study.plan.hospitals:
        approval = ledger.find(studies.approval_key(study.study, hospital), Approval)
        if approval is None or approval.plan_digest != study.plan_digest:
            raise Refused("studies.approval-missing", "every site of the plan approves it first", hospital=hospital)
    for source in study.plan.datasets:
        check_usable(ledger, study.plan, source)
    exposure.check_standing(ledger, study.plan.hospitals)


def check_discarded(ledger: Ledger, study: Study, attempt: Round, sites: tuple[str, ...]) -> None:
    """Return quietly unless the plan discards an attempt for a withdrawal, and one was recorded at one of `sites`.

    Whose it is does not matter: an attempt that ended for its own patients alone would tell who was in it.
    Refuses `studies.consent-withdrawn`.
    """
    if study.plan.on_withdrawal != "discard":
        return
    now = last_withdrawals(ledger, sites)
    if left := [hospital for hospital in sites if now.get(hospital) != attempt.withdrawals.get(hospital)]:
        message = "a consent was withdrawn at these hospitals: the plan discards this attempt, abort it"
        raise Refused("studies.consent-withdrawn", message, hospitals=left)


def opened_round(ledger: Ledger, study: Study, head: Head, kind: RoundKind) -> Round:
    now, discards = ledger.now, study.plan.on_withdrawal == "discard"
    cohort_deadline = now + study.plan.cohort_seconds
    return Round(
        study=study.study,
        round=head.round,
        attempt=head.attempt,
        kind=kind,
        status="open",
        opened=now,
        cohort_deadline=cohort_deadline,
        update_deadline=cohort_deadline + study.plan.update_seconds,
        sites=(),
        base=head.base,
        model=None,
        reason=None,
        withdrawals=last_withdrawals(ledger, study.plan.hospitals) if discards else {},
    )


def contributed(ledger: Ledger, fixed: Round, hospital: str) -> bool:
    """Whether the site has its cohort and its update (or, in evaluation, its measurement) on the ledger.

    A measurement of an earlier attempt counts: the model is the same, and new noise would have to be paid for again.
    """
    place = (fixed.study, fixed.round, fixed.attempt, hospital)
    if ledger.find(cohort_key(*place), Cohort) is None:
        return False
    if fixed.kind == "evaluation":
        return any(
            ledger.find(measurement_key(fixed.study, fixed.round, attempt, hospital), Measurement) is not None
            for attempt in range(1, fixed.attempt + 1)
        )
    return ledger.find(update_key(*place), Update) is not None


def put_head(ledger: Ledger, study: str, *, status: str, base: str | None = None, joined: tuple[str, ...] = ()) -> None:
    """Write the head of a study whose last attempt changed."""
    head = ledger.find(studies.head_key(study), Head)
    if head is None:
        raise RuntimeError("a round stands without a head")
    participants = tuple(sorted({*head.participants, *joined}))
    ledger.put(studies.head_key(study), replace(head, status=status, base=base or head.base, participants=participants))
