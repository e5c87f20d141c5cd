"""What a mechanism did, as data: accountants consume events, and only events are stored, never epsilons.

Epsilons add up to far more than the events they came from compose to, so a history keeps (mechanism, sigma, q, steps).

    >>> PoissonSampledGaussian(sigma=1.2, q=0.1, steps=40)
    PoissonSampledGaussian(sigma=1.2, q=0.1, steps=40)
    >>> Gaussian(sigma=0.0)
    Traceback (most recent call last):
    training.errors.PrivacyRefused: privacy.sigma: sigma must be a finite number above 0
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from training.errors import PrivacyRefused


@dataclass(frozen=True, slots=True)
class Gaussian:
    """One release of a sum with noise of standard deviation `sigma` (> 0) times its L2 sensitivity to one patient."""

    sigma: float

    def __post_init__(self) -> None:
        require_sigma(self.sigma)


@dataclass(frozen=True, slots=True)
class PoissonSampledGaussian:
    """`steps` (>= 1) releases, each over a fresh Poisson sample in which every patient stands with probability `q`.

    `sigma` (> 0) is the noise's standard deviation over the clip bound; `q` is in (0, 1]; the sample stays secret.
    Raises PrivacyRefused `privacy.sigma`, `privacy.q`, `privacy.steps`.
    """

    sigma: float
    q: float
    steps: int

    def __post_init__(self) -> None:
        require_sigma(self.sigma)
        require_rate(self.q)
        require_steps(self.steps)


Event = Gaussian | PoissonSampledGaussian


def merged(history: Iterable[Event]) -> tuple[Event, ...]:
    """The same history with equal mechanisms run on as one, in the order of their first time: it composes to the same.

    >>> merged([PoissonSampledGaussian(1.2, 0.1, 40), Gaussian(20.0), PoissonSampledGaussian(1.2, 0.1, 2)])
    (PoissonSampledGaussian(sigma=1.2, q=0.1, steps=42), Gaussian(sigma=20.0))
    """
    steps: dict[tuple[float, float], int] = {}
    for event in history:
        sigma, q, times = parameters(event)
        steps[sigma, q] = steps.get((sigma, q), 0) + times
    return tuple(
        Gaussian(sigma) if (q, times) == (1, 1) else PoissonSampledGaussian(sigma, q, times)
        for (sigma, q), times in steps.items()
    )


def parameters(event: Event) -> tuple[float, float, int]:
    """sigma, q and steps of `event`: one release of everybody is one step on a sample with q = 1."""
    return (event.sigma, 1.0, 1) if isinstance(event, Gaussian) else (event.sigma, event.q, event.steps)


def require_sigma(sigma: float) -> None:
    if not (isinstance(sigma, int | float) and not isinstance(sigma, bool) and math.isfinite(sigma) and sigma > 0):
        raise PrivacyRefused("privacy.sigma", "sigma must be a finite number above 0")


def require_rate(q: float) -> None:
    if not (isinstance(q, int | float) and not isinstance(q, bool) and 0 < q <= 1):
        raise PrivacyRefused("privacy.q", "the sampling rate q must be above 0 and at most 1")


def require_steps(steps: int) -> None:
    if not (isinstance(steps, int) and not isinstance(steps, bool) and steps >= 1):
        raise PrivacyRefused("privacy.steps", "steps must be a whole number of at least 1")


def require_delta(delta: float) -> None:
    if not (isinstance(delta, int | float) and not isinstance(delta, bool) and 0 < delta < 1):
        raise PrivacyRefused("privacy.delta", "delta must lie between 0 and 1, both excluded")
