"""Privacy loss distributions of mechanisms, and of histories of them: dp-accounting's, computed once and kept.

One distribution takes about a tenth of a second to a second, and a history needs one for each mechanism in it and one
for each part of it that was asked about before. So a history to which one study was added costs one study.

Source: Doroshenko, Ghazi, Kamath, Kumar, Manurangsi, "Connect the dots: tighter discrete approximations of privacy loss
distributions" (PETS 2022, arXiv:2207.04380); dp_accounting.pld.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from training.errors import PrivacyRefused
from training.privacy.events import Event, Gaussian, PoissonSampledGaussian, parameters

FINE, COARSE = 1e-4, 1e-3
LEAST_SIGMA = 0.1  # the ledger's; below it a distribution is too wide to be computed
WIDE = 1e-2  # ten cells of the coarse grid: epsilon is then looser by about 0.1 %


def check(event: Event) -> None:
    """Return quietly if `event` has a distribution here. Raises PrivacyRefused `privacy.event`, `privacy.sigma`."""
    if not isinstance(event, Gaussian | PoissonSampledGaussian):
        raise PrivacyRefused("privacy.event", "this mechanism is not one that the accountants know")
    if event.sigma < LEAST_SIGMA:
        raise PrivacyRefused("privacy.sigma", f"sigma below {LEAST_SIGMA} is too small to be accounted: raise it")


def grid_for(events: Iterable[Event]) -> float:
    """COARSE where that is fine enough for `events`, else FINE.

    A step's loss is about q / sigma wide. Rounding it to a grid adds a share of about (grid / width)^2 to the variance,
    whether there are few steps or many, so what counts is the mean square over all steps.
    """
    steps, squares = 0, 0.0
    for sigma, q, times in map(parameters, events):
        steps += times
        squares += times * (q / sigma) ** 2
    return COARSE if squares >= steps * WIDE**2 else FINE


def composed(history: tuple[Event, ...], grid: float) -> Any:
    """The distribution (dp_accounting PrivacyLossDistribution) of `history`, which is not empty, for add or remove."""
    for length in range(1, len(history)):
        _composed(history[:length], grid)  # the shorter ones first: each finds the one before it
    return _composed(history, grid)


@lru_cache(maxsize=128)
def _composed(history: tuple[Event, ...], grid: float) -> Any:
    *before, last = history
    return _composed(tuple(before), grid).compose(_of(last, grid)) if before else _of(last, grid)


@lru_cache(maxsize=64)
def _of(event: Event, grid: float) -> Any:
    from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism

    sigma, q, steps = parameters(event)
    if q == 1:  # releases of everybody add up to one with less noise, exactly
        return from_gaussian_mechanism(sigma / math.sqrt(steps), value_discretization_interval=grid)
    return from_gaussian_mechanism(sigma, value_discretization_interval=grid, sampling_prob=q).self_compose(steps)
