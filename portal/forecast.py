"""What a plan would cost before anybody is asked: its noise, its epsilon, and every account with it added."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from consent.cohort import bucket_top
from ledger.contracts import exposure, reservations
from ledger.contracts.constitution import MAX_EPSILON, MIN_SIGMA
from portal.errors import PortalError
from portal.odometer import Cost, Standing, of_event
from training.federation.studies import LedgerView
from training.privacy.calibration import LARGEST, STEP, sigma_for
from training.privacy.events import Gaussian


@dataclass(frozen=True, slots=True)
class Draft:
    """What a plan's cost depends on; decimals as plans write them. `hospitals`: MSP ids."""

    hospitals: tuple[str, ...]
    rounds: int
    spare_attempts: int
    local_steps: int
    q: str
    delta: str
    metric_sigma: str

    @property
    def attempts(self) -> int:
        return self.rounds + self.spare_attempts

    def at_one_hospital(self, sigma: str) -> Cost:
        """What each hospital promises: every attempt that may be, and the counts of the evaluation."""
        training = reservations.Event(
            mechanism="poisson-subsampled-gaussian", sigma=sigma, q=self.q, steps=self.local_steps
        )
        metric = reservations.Event(mechanism="gaussian", sigma=self.metric_sigma, q=None, steps=1)
        return of_event(training, self.attempts) + of_event(metric, reservations.METRIC_EVENTS)

    def of_a_patient(self, sigma: str, apart: frozenset[str]) -> Cost:
        """What one patient pays: of all the hospitals, where they are not all declared to share no patients."""
        return sum([self.at_one_hospital(sigma)] * self.shares(apart), Cost())

    def shares(self, apart: frozenset[str]) -> int:
        return 1 if len(self.hospitals) == 1 or set(self.hospitals) <= apart else len(self.hospitals)

    def sigma(self, epsilon: str, apart: frozenset[str]) -> str:
        """The least noise within `epsilon`. Raises PrivacyRefused `privacy.*`, `calibration.unreachable`."""
        times = self.shares(apart)
        metrics = [Gaussian(float(self.metric_sigma))] * (times * reservations.METRIC_EVENTS)
        return sigma_for(epsilon, self.delta, self.q, self.local_steps * self.attempts * times, metrics)


@dataclass(frozen=True, slots=True)
class Forecast:
    """An account with a draft's promise added: epsilon of its patients' exposure at `delta`, by RDP as it is gated."""

    hospital: str
    cap: Decimal
    delta: str
    before: Decimal
    after: Decimal

    @property
    def left(self) -> Decimal:
        return max(Decimal(0), self.cap - self.after)

    @property
    def fits(self) -> bool:
        return self.after <= self.cap


def forecasts(
    standing: Mapping[str, Standing], draft: Draft, sigma: str, apart: frozenset[str]
) -> tuple[Forecast, ...]:
    """Every account whose patients `draft` may touch, whether it takes part or not; as `studies:Approve` reckons."""
    promise = draft.at_one_hospital(sigma)
    found = []
    for hospital, one in sorted(standing.items()):
        touching = sum(exposure.meets(hospital, other, apart) for other in draft.hospitals)
        if touching:
            delta = min(one.delta, draft.delta, key=Decimal)
            before, added = one.exposure, sum([promise] * touching, Cost())
            cap = min(one.cap, Decimal(MAX_EPSILON))
            found.append(Forecast(hospital, cap, delta, before.gated(delta), (before + added).gated(delta)))
    return tuple(found)


def least_fitting(standing: Mapping[str, Standing], draft: Draft, apart: frozenset[str]) -> str | None:
    """The smallest sigma, in thousandths, with which every account can bear `draft`; None where none can."""

    def fits(thousandths: int) -> bool:
        return all(one.fits for one in forecasts(standing, draft, spelled(thousandths), apart))

    low, high = int(MIN_SIGMA * STEP) - 1, LARGEST
    if not fits(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return spelled(high)


def check_delta(view: LedgerView, draft: Draft) -> None:
    """Return quietly if each hospital has a data set in use that the draft's delta is small enough for, or none at all.

    Raises PortalError `budget.delta`: no plan with that delta would be taken (`studies.plan-delta`).
    """
    tops: dict[str, list[int]] = defaultdict(list)
    for entry in view.entries("catalogue/dataset/").values():
        if entry.body["status"] == "live":
            tops[entry.body["hospital"]].append(bucket_top(entry.body["size_bucket"]))
    for hospital in draft.hospitals:
        if hospital in tops and Decimal(draft.delta) * min(tops[hospital]) >= 1:
            least = f"below 1/{min(tops[hospital])}, one patient of the smallest data set of {hospital}"
            raise PortalError("budget.delta", f"--delta is {draft.delta}: it stays {least}", option="delta")


def spelled(thousandths: int) -> str:
    return format((Decimal(thousandths) / STEP).normalize(), "f")


def chosen(standing: Mapping[str, Standing], named: Sequence[str]) -> tuple[str, ...]:
    """The hospitals of a draft: those `named`, or all with an account.

    Raises PortalError `budget.no-account`, naming the one that has none and those that have.
    """
    if not standing:
        raise PortalError("budget.no-account", "no hospital has an account on this ledger yet: its steward opens one")
    if unknown := sorted(set(named) - set(standing)):
        known = ", ".join(sorted(standing))
        raise PortalError("budget.no-account", f"{unknown[0]} has no account on this ledger; these have: {known}")
    return tuple(sorted(set(named) or standing))
