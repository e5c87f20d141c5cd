"""What a site adds to a round: its cohort's root, then its noised update or noised counts, with their spend."""

from __future__ import annotations

from consent import cohort as cohorts
from consent.errors import ConsentError
from ledger.contracts import reservations
from ledger.contracts import study as studies
from ledger.contracts.fields import DatasetId, Digest, Name, Positive, Signed, Uuid
from ledger.contracts.functions import Contract, Role, transaction
from ledger.contracts.plans import require_entitlement
from ledger.contracts.round import (
    Cohort,
    Measurement,
    Number,
    Round,
    Update,
    cohort_key,
    measurement_key,
    require_fixed_site,
    require_phase,
    require_round,
    update_key,
)
from ledger.contracts.state import Ledger, agree
from ledger.contracts.study import Pause, Source, Study
from ledger.errors import Refused


class Contributions(Contract):
    """Every fact has its site's own key, so sites do not wait for each other."""

    name = "studies"

    @transaction(role=Role.SITE, event="studies.committed")
    def commit(
        self,
        ledger: Ledger,
        *,
        study: Uuid,
        round: Number,
        attempt: Number,
        dataset: DatasetId,
        version: Positive,
        root: Digest | None,
        bucket: Name | None,
        declined: bool,
    ) -> Cohort:
        """Answer an open round with the root and bucket of the site's cohort, or decline, with no reason and both null.

        Refuses `studies.unknown`, `studies.round-unknown`, `studies.not-a-site`, `studies.plan-dataset`,
        `studies.cohort`, `studies.min-cohort`, `studies.known-differently`, `studies.round-status`,
        `studies.wrong-status`, `studies.cohort-late`, `studies.paused`, `studies.entitlement-missing` (its last day of
        use is over, or it was revoked).
        """
        standing, opened = studies.require(ledger, study), require_round(ledger, study, round, attempt)
        source = studies.require_site(ledger, standing)
        hospital = ledger.creator.organisation
        offered = Cohort(
            study=study,
            round=round,
            attempt=attempt,
            hospital=hospital,
            dataset=dataset,
            version=version,
            root=root,
            bucket=bucket,
            declined=declined,
            committed=ledger.now,
        )
        check_cohort(standing, source, offered)
        key = cohort_key(study, round, attempt, hospital)
        if known := ledger.find(key, Cohort):
            agree(known, offered, "studies.known-differently", "committed")
            return known
        require_phase(opened, "open")
        studies.require_status(standing, "running", "trained")
        if ledger.now >= opened.cohort_deadline:
            raise Refused("studies.cohort-late", "the time for cohorts is over", deadline=opened.cohort_deadline)
        if not declined:
            check_free(ledger, standing, source)
        ledger.put(key, offered)
        return offered

    @transaction(role=Role.SITE, event="studies.updated")
    def update(self, ledger: Ledger, *, study: Uuid, round: Number, attempt: Number, update: Digest) -> Update:
        """Commit the digest of a stored, noised update; the plan's training event is spent in the same transaction.

        Refuses `studies.unknown`, `studies.round-unknown`, `studies.not-in-round`, `studies.round-kind`,
        `studies.update-known` (another update stands for this attempt), `studies.round-status`, `studies.wrong-status`,
        `studies.update-late`, `studies.entitlement-missing`, `budget.no-account`, `budget.no-reservation`,
        `budget.reservation-spent`.
        """
        standing, fixed = studies.require(ledger, study), require_round(ledger, study, round, attempt)
        hospital = require_fixed_site(ledger, fixed)
        require_kind(fixed, "training")
        key = update_key(study, round, attempt, hospital)
        if known := ledger.find(key, Update):
            if known.digest != update:
                raise Refused("studies.update-known", "a site gives one update an attempt, and another one stands")
            return known
        require_running(ledger, standing, fixed)
        event = reservations.spend(ledger, standing, hospital, "training")
        record = Update(
            study=study, round=round, attempt=attempt, hospital=hospital, digest=update, event=event, updated=ledger.now
        )
        ledger.put(key, record)
        return record

    @transaction(role=Role.SITE, event="studies.measured")
    def measure(
        self, ledger: Ledger, *, study: Uuid, round: Number, attempt: Number, correct: Signed, total: Signed
    ) -> Measurement:
        """Release a site's noised counts of the evaluation; the plan's metric event is spent in the same transaction.

        Refuses `studies.unknown`, `studies.round-unknown`, `studies.not-in-round`, `studies.round-kind`,
        `studies.known-differently`, `studies.round-status`, `studies.wrong-status`, `studies.update-late`,
        `studies.entitlement-missing`, `budget.no-account`, `budget.no-reservation`, `budget.reservation-spent`.
        """
        standing, fixed = studies.require(ledger, study), require_round(ledger, study, round, attempt)
        hospital = require_fixed_site(ledger, fixed)
        require_kind(fixed, "evaluation")
        event = reservations.event_of(standing.plan, "metric")
        offered = Measurement(
            study=study,
            round=round,
            attempt=attempt,
            hospital=hospital,
            correct=correct,
            total=total,
            event=event,
            measured=ledger.now,
        )
        key = measurement_key(study, round, attempt, hospital)
        if known := ledger.find(key, Measurement):
            agree(known, offered, "studies.known-differently", "measured")
            return known
        require_running(ledger, standing, fixed)
        reservations.spend(ledger, standing, hospital, "metric")
        ledger.put(key, offered)
        return offered


def check_cohort(study: Study, source: Source, offered: Cohort) -> None:
    """Refuses `studies.plan-dataset`, `studies.cohort`, `studies.min-cohort`."""
    if (offered.dataset, offered.version) != (source.dataset, source.version):
        raise Refused("studies.plan-dataset", "a site takes part with its data set of the plan", dataset=source.dataset)
    if offered.declined:
        if offered.root is not None or offered.bucket is not None:
            raise Refused("studies.cohort", "to decline, leave root and bucket null")
        return
    if offered.root is None or offered.bucket is None:
        raise Refused("studies.cohort", "a cohort has a root and a bucket")
    try:
        top = cohorts.bucket_top(offered.bucket)
    except ConsentError as error:
        raise Refused("studies.min-cohort", error.message, bucket=offered.bucket) from None
    if top < study.plan.min_cohort:
        raise Refused(
            "studies.min-cohort",
            "the cohort is smaller than the plan allows: decline",
            bucket=offered.bucket,
            min_cohort=study.plan.min_cohort,
        )


def require_kind(attempt: Round, kind: str) -> None:
    """Refuses `studies.round-kind`."""
    if attempt.kind != kind:
        raise Refused("studies.round-kind", f"this is a round of {attempt.kind}", kind=attempt.kind)


def require_running(ledger: Ledger, study: Study, fixed: Round) -> None:
    """Refuses `studies.round-status`, `studies.wrong-status`, `studies.update-late`, `studies.entitlement-missing`."""
    require_phase(fixed, "training")
    studies.require_status(study, "running", "trained")
    if ledger.now >= fixed.update_deadline:
        raise Refused("studies.update-late", "the time for contributions is over", deadline=fixed.update_deadline)
    require_entitlement(ledger, study.plan, studies.require_site(ledger, study))


def check_free(ledger: Ledger, study: Study, source: Source) -> None:
    """Refuses `studies.paused`, `studies.entitlement-missing`."""
    pause = ledger.find(studies.pause_key(ledger.creator.organisation), Pause)
    if pause is not None and pause.paused:
        raise Refused("studies.paused", "this hospital has paused: decline, or let a steward end the pause")
    require_entitlement(ledger, study.plan, source)
