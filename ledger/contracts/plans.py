"""What a plan must keep to before anybody is asked to approve it."""

from __future__ import annotations

from decimal import Decimal

from consent import cohort
from ledger.contracts import access, catalogue, debts, reservations, restarts
from ledger.contracts.constitution import MIN_COHORT, MIN_SIGMA
from ledger.contracts.state import Ledger
from ledger.contracts.study import Plan, Source
from ledger.errors import Refused


def check_plan(ledger: Ledger, plan: Plan, sponsor: str) -> None:
    """Return quietly if every site could take part in `plan` now, and nobody's patients would be exposed too much.

    Refuses `studies.plan-*`, what `restarts.check` refuses, `access.unknown`, `studies.entitlement-missing`,
    `catalogue.unknown`, `catalogue.retired`, `access.duo-denied`, `budget.no-account`, `budget.over-cap`,
    `studies.return-overdue`.
    """
    debts.check(ledger, sponsor)
    check_mechanism(plan)
    check_sites(plan)
    restarts.check(ledger, plan, sponsor)
    asked = access.require_request(ledger, plan.request)
    if asked.requester != sponsor:
        raise Refused("studies.plan-request", "a plan rests on a request of the sponsor itself", request=plan.request)
    for source in plan.datasets:
        check_source(ledger, plan, source)
    reservations.check_promise(ledger, plan, plan.hospitals)


def check_mechanism(plan: Plan) -> None:
    """What is checked of the noise.

    Refuses `studies.plan-sigma`, `studies.plan-q`, `studies.plan-clip`, `studies.plan-steps`, `studies.plan-delta`,
    `studies.plan-averaging`.
    """
    for sigma in (plan.privacy.sigma, plan.metrics.sigma):
        if Decimal(sigma) < MIN_SIGMA:
            raise Refused(
                "studies.plan-sigma", f"noise below {MIN_SIGMA} times the sensitivity protects nobody", sigma=sigma
            )
    if not 0 < Decimal(plan.privacy.q) <= 1:
        raise Refused("studies.plan-q", "q is a probability above 0 and at most 1", q=plan.privacy.q)
    if Decimal(plan.privacy.clip) <= 0:
        raise Refused("studies.plan-clip", "the clip is above 0", clip=plan.privacy.clip)
    if plan.privacy.steps != plan.configuration.local_steps:
        raise Refused(
            "studies.plan-steps",
            "privacy pays for exactly the steps that are taken: let both numbers agree",
            steps=plan.privacy.steps,
            local_steps=plan.configuration.local_steps,
        )
    if Decimal(plan.privacy.delta) <= 0:
        raise Refused("studies.plan-delta", "delta is above 0", delta=plan.privacy.delta)
    if Decimal(plan.configuration.averaging) >= 1:
        raise Refused("studies.plan-averaging", "the decay of the models' average is below 1")


def check_sites(plan: Plan) -> None:
    """Refuses `studies.plan-min-cohort`, `studies.plan-quorum`, `studies.plan-dataset`."""
    if plan.min_cohort < MIN_COHORT:
        raise Refused(
            "studies.plan-min-cohort", f"a cohort has at least {MIN_COHORT} patients", min_cohort=plan.min_cohort
        )
    if plan.quorum > len(plan.datasets):
        raise Refused("studies.plan-quorum", "the quorum is larger than the number of sites", quorum=plan.quorum)
    if len(set(plan.hospitals)) != len(plan.datasets):
        raise Refused("studies.plan-dataset", "each hospital takes part with one data set")
    for source in plan.datasets:
        if Decimal(source.expected_batch) <= 0:
            raise Refused("studies.plan-dataset", "the expected batch is above 0", dataset=source.dataset)


def check_source(ledger: Ledger, plan: Plan, source: Source) -> None:
    """Refuses `studies.entitlement-missing`, `catalogue.unknown`, `catalogue.retired`, `studies.plan-unit`,
    `studies.plan-delta`.
    """
    check_usable(ledger, plan, source)
    record = catalogue.require(ledger, source.dataset, source.version)
    if plan.privacy.unit != record.unit:
        message = f"a plan protects what its data sets say that they hold: this one's unit is the {record.unit}"
        raise Refused("studies.plan-unit", message, unit=plan.privacy.unit, dataset=source.dataset)
    top = cohort.bucket_top(record.size_bucket)
    if Decimal(plan.privacy.delta) * top >= 1:
        raise Refused(
            "studies.plan-delta",
            f"delta stays below 1/{top}, one patient of the data set",
            delta=plan.privacy.delta,
            dataset=source.dataset,
        )


def check_usable(ledger: Ledger, plan: Plan, source: Source) -> None:
    """Return quietly if the data set may be used for the plan right now: entitled, in use, and by the rules of today.

    An upgrade of the contracts may bring other rules: a permit given under older ones is asked about again.
    Refuses `studies.entitlement-missing`, `catalogue.unknown`, `catalogue.retired`, `access.duo-denied`.
    """
    entitlement = require_entitlement(ledger, plan, source)
    record = catalogue.require_live(ledger, source.dataset, source.version)
    access.check_terms(ledger, record.terms, entitlement)


def require_entitlement(ledger: Ledger, plan: Plan, source: Source) -> access.Entitlement:
    """The live entitlement for a data set of the plan; refuses `studies.entitlement-missing`."""
    entitlement = entitlement_of(ledger, plan, source)
    if entitlement is None:
        raise Refused(
            "studies.entitlement-missing",
            "this data set has no live entitlement under the plan's request",
            dataset=source.dataset,
            hospital=catalogue.owner_of(source.dataset),
        )
    return entitlement


def entitlement_of(ledger: Ledger, plan: Plan, source: Source) -> access.Entitlement | None:
    """The live entitlement for a data set of the plan, or None."""
    key = access.entitlement_key(plan.request, source.dataset, source.version)
    entitlement = ledger.find(key, access.Entitlement)
    return entitlement if access.is_live(entitlement, ledger.now) else None
