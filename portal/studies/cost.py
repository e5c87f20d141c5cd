"""What a study costs in epsilon, in floats for the pages: the contract's own decimals decide when it matters.

The cost is that of one patient: of the hospital where most was released, or of all hospitals together where they are
not declared disjoint (a patient might be at several of them).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from portal.reactor import selectors as mirror
from training.privacy.accountants import rdp_epsilon
from training.privacy.events import Event, Gaussian, PoissonSampledGaussian


def planned(plan: Mapping[str, Any]) -> float:
    """Epsilon as it is reserved: every round, every spare attempt, and the release of metrics."""
    factor = 1 if disjoint(sites(plan)) else len(sites(plan))
    return epsilon(plan, (plan["rounds"] + plan["spare_attempts"]) * factor, factor)


def spent(plan: Mapping[str, Any], trained: Mapping[str, int], measured: Mapping[str, int]) -> float:
    """Epsilon so far. `trained`, `measured`: how many updates and metrics each hospital released (MSP id -> number)."""
    places = sites(plan)
    if disjoint(places):
        return max((epsilon(plan, trained.get(msp, 0), measured.get(msp, 0)) for msp in places), default=0.0)
    return epsilon(plan, sum(trained.values()), sum(measured.values()))


def epsilon(plan: Mapping[str, Any], trained: int, measured: int) -> float:
    """Epsilon, at the plan's delta, of `trained` updates and `measured` metric releases."""
    privacy = plan["privacy"]
    update = PoissonSampledGaussian(float(privacy["sigma"]), float(privacy["q"]), privacy["steps"])
    return _epsilon(update, trained, Gaussian(float(plan["metrics"]["sigma"])), measured, float(privacy["delta"]))


def sites(plan: Mapping[str, Any]) -> list[str]:
    """The MSP ids of the hospitals of a plan, sorted."""
    return sorted({one["dataset"].split("/", 1)[0] for one in plan["datasets"]})


def disjoint(hospitals: list[str]) -> bool:
    """Whether an executed proposal declared that these hospitals share no patients."""
    found = mirror.record("budget/disjoint")
    return len(hospitals) == 1 or (found is not None and set(hospitals) <= set(found["hospitals"]))


@lru_cache(maxsize=1024)
def _epsilon(update: PoissonSampledGaussian, trained: int, metric: Gaussian, measured: int, delta: float) -> float:
    events: list[Event] = [metric] * measured
    if trained:
        events.append(PoissonSampledGaussian(update.sigma, update.q, update.steps * trained))
    return rdp_epsilon(events, delta)
