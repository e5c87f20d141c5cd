"""What a plan may spend at a hospital: promised at approval, spent event by event, the rest given back at the end.

State: `budget/reservation/<msp>/<uuid>` -> Reservation. A plan has two kinds of event: a training event (all steps of
one attempt of a round) and the metric event of the evaluation.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from consent.canonical import Document
from ledger.contracts import accounts, rdp
from ledger.contracts.accounts import Account
from ledger.contracts.fields import Count, Digest
from ledger.contracts.rdp import Curve
from ledger.contracts.state import Ledger
from ledger.contracts.study import Plan, Study
from ledger.errors import Refused

METRIC_EVENTS = 1

Kind = Literal["training", "metric"]


class Event(Document, frozen=True):
    """A mechanism that ran once, as it goes into every account: never an epsilon. `q` is null without subsampling."""

    mechanism: Literal["poisson-subsampled-gaussian", "gaussian"]
    sigma: str
    q: str | None
    steps: Count


class Reservation(Document, frozen=True):
    """The events that are still promised. `shared`: how many other hospitals' events were charged at once."""

    hospital: str
    study: str
    plan_digest: Digest
    training: Count
    metric: Count
    shared: Count
    status: Literal["held", "released"]


def key(hospital: str, study: str) -> str:
    return f"budget/reservation/{hospital}/{study}"


def event_of(plan: Plan, kind: Kind) -> Event:
    if kind == "metric":
        return Event(mechanism="gaussian", sigma=plan.metrics.sigma, q=None, steps=1)
    privacy = plan.privacy
    return Event(mechanism="poisson-subsampled-gaussian", sigma=privacy.sigma, q=privacy.q, steps=privacy.steps)


def curve_of(event: Event) -> Curve:
    """The event's RDP curve."""
    step = rdp.gaussian(event.sigma) if event.q is None else rdp.subsampled_gaussian(event.sigma, event.q)
    return rdp.times(step, event.steps)


def whole(plan: Plan, training: int, metric: int) -> Curve:
    """The curve of so many events of the plan."""
    return rdp.plus(
        rdp.times(curve_of(event_of(plan, "training")), training), rdp.times(curve_of(event_of(plan, "metric")), metric)
    )


def planned(ledger: Ledger, plan: Plan, hospital: str) -> tuple[Account, Account]:
    """The hospital's account, and the same with the whole plan promised.

    The events of a site whose patients may also be this hospital's are charged to it at once, and stay charged.
    Refuses `budget.no-account`.
    """
    account = accounts.require(ledger, hospital)
    own = whole(plan, plan.rounds + plan.spare_attempts, METRIC_EVENTS)
    return account, accounts.promise(account, own, rdp.times(own, shared_sites(ledger, plan, hospital)))


def reserve(ledger: Ledger, plan: Plan, hospital: str) -> Account:
    """The hospital's account with the whole plan promised; refuses `budget.no-account`, `budget.over-cap`."""
    _, account = planned(ledger, plan, hospital)
    accounts.check_within(account)
    return account


def shared_sites(ledger: Ledger, plan: Plan, hospital: str) -> int:
    """How many other sites of the plan may have patients of this hospital among theirs."""
    return len(accounts.sharing(ledger, hospital, plan.hospitals))


def spend(ledger: Ledger, study: Study, hospital: str, kind: Kind) -> Event:
    """Move one event of the plan from promised to spent; this writes the account and the reservation.

    Refuses `budget.no-reservation`, `budget.reservation-spent`.
    """
    reservation = ledger.find(key(hospital, study.study), Reservation)
    if reservation is None or reservation.status != "held":
        raise Refused(
            "budget.no-reservation", "nothing is promised for this study: approve its plan first", hospital=hospital
        )
    left = reservation.training if kind == "training" else reservation.metric
    if left == 0:
        raise Refused(
            "budget.reservation-spent", "the plan's events of this kind are all spent", hospital=hospital, kind=kind
        )
    event = event_of(study.plan, kind)
    account = accounts.require(ledger, hospital)
    ledger.put(accounts.key(hospital), accounts.spend(account, curve_of(event)))
    less = replace(reservation, training=left - 1) if kind == "training" else replace(reservation, metric=left - 1)
    ledger.put(key(hospital, study.study), less)
    return event


def release(ledger: Ledger, study: Study, reservation: Reservation) -> Reservation:
    """Give back what is still promised; this writes the account and the reservation."""
    account = accounts.require(ledger, reservation.hospital)
    rest = whole(study.plan, reservation.training, reservation.metric)
    released = replace(reservation, training=0, metric=0, status="released")
    ledger.put(accounts.key(reservation.hospital), accounts.give_back(account, rest))
    ledger.put(key(reservation.hospital, study.study), released)
    return released


def of(study: Study, hospital: str, shared: int) -> Reservation:
    """The whole plan, promised."""
    return Reservation(
        hospital=hospital,
        study=study.study,
        plan_digest=study.plan_digest,
        training=study.plan.rounds + study.plan.spare_attempts,
        metric=METRIC_EVENTS,
        shared=shared,
        status="held",
    )
