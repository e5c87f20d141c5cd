"""What a plan may spend at a hospital: promised at approval, spent event by event, the rest given back at the end.

State: `budget/reservation/<msp>/<uuid>` -> Reservation. A plan has two kinds of event: a training event (all steps of
one attempt of a round) and the metric event of the evaluation, whose counts a later attempt releases again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec.structs import replace

from consent.canonical import Document
from ledger.contracts import accounts, exposure, rdp
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
    """The events that are still promised."""

    hospital: str
    study: str
    plan_digest: Digest
    training: Count
    metric: Count
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


def promised(plan: Plan) -> Curve:
    """What a site promises by approving: every round and attempt that may be, all at once."""
    return whole(plan, training_events(plan), METRIC_EVENTS)


def training_events(plan: Plan) -> int:
    return plan.rounds + plan.spare_attempts


def check_promise(ledger: Ledger, plan: Plan, hospitals: Iterable[str]) -> None:
    """Return quietly if `hospitals` may promise the plan: nobody whom it touches would be over the cap.

    Refuses `budget.no-account`, `budget.over-cap` (names the hospital, which need not be one of the plan's).
    """
    exposure.check_growth(ledger, growth(ledger, plan, hospitals), plan.privacy.delta)


def growth(ledger: Ledger, plan: Plan, hospitals: Iterable[str]) -> dict[str, Curve]:
    """What each of `hospitals` promises; refuses `budget.no-account`."""
    return {accounts.require(ledger, hospital).hospital: promised(plan) for hospital in hospitals}


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


def of(study: Study, hospital: str) -> Reservation:
    """The whole plan, promised."""
    return Reservation(
        hospital=hospital,
        study=study.study,
        plan_digest=study.plan_digest,
        training=training_events(study.plan),
        metric=METRIC_EVENTS,
        status="held",
    )
