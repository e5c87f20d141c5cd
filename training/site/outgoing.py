"""The last look at an update before it leaves the hospital: is it what the plan's mechanism makes, and nothing else?

It catches mistakes (another array, weights instead of a change, noise forgotten, clipping off, divergence), not a
trainer that hides data on purpose. The bounds come from the plan, so a true update is refused less than once in 10**8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import OutgoingRefused
from training.models import registry
from training.privacy.mechanism import Mechanism

RARE = 20.0  # a true update is outside each bound with a probability of at most exp(-RARE) = 2e-9


@dataclass(frozen=True, slots=True)
class Limits:
    """`trained` (P,): which of the numbers may move. `shortest`, `longest`: the L2 norms a noised update can have."""

    trained: NDArray[np.bool_]
    shortest: float
    longest: float

    @classmethod
    def of(cls, privacy: object, configuration: object, expected_batch: float, owners: NDArray[np.integer]) -> Limits:
        """The limits that a plan sets for a cohort whose records belong to `owners`.

        Longest: every patient in every step at the clip bound, plus noise (Laurent and Massart 2000, lemma 1).
        Shortest: the last step's noise is independent of all before it, so the update is at least as long as that noise
        alone with at least its probability (chi-squared, Chernoff's bound).
        """
        mechanism, checked = Mechanism.of(privacy), registry.configuration(configuration)
        trained = registry.trained(checked)
        parameters = int(trained.sum())
        scale = registry.learning_rate(checked) / expected_batch
        noise, steps = mechanism.noise, mechanism.event.steps
        tail = RARE + math.log(steps)
        noisiest = noise * math.sqrt(parameters + 2 * math.sqrt(parameters * tail) + 2 * tail)
        signal = mechanism.clip * len(np.unique(owners))
        return cls(
            trained,
            scale * noise * math.sqrt(parameters * _least_share(parameters)) * 0.999,  # float32
            scale * steps * (signal + noisiest) * 1.001,
        )


def inspect(update: object, limits: Limits) -> None:
    """Return quietly if `update` may leave.

    Raises OutgoingRefused `outgoing.type`, `outgoing.shape`, `outgoing.not-finite`, `outgoing.frozen`,
    `outgoing.too-long`, `outgoing.no-noise`; the message holds no value of the update.
    """
    if not isinstance(update, np.ndarray) or update.dtype != np.float32:
        raise OutgoingRefused("outgoing.type", "an update is one float32 array: nothing was sent")
    if update.shape != limits.trained.shape:
        raise OutgoingRefused(
            "outgoing.shape", f"this update must hold {limits.trained.size} numbers: nothing was sent"
        )
    if not np.isfinite(update).all():
        raise OutgoingRefused("outgoing.not-finite", "the update holds a value that is no number: nothing was sent")
    if update[~limits.trained].any():
        raise OutgoingRefused("outgoing.frozen", "the update moves a weight that the plan freezes: nothing was sent")
    norm = float(np.linalg.norm(update.astype(np.float64)))
    if norm > limits.longest:
        raise OutgoingRefused("outgoing.too-long", "the update is longer than clipping allows: nothing was sent")
    if norm < limits.shortest:
        raise OutgoingRefused("outgoing.no-noise", "the update is shorter than its noise alone: nothing was sent")


def _least_share(degrees: int) -> float:
    """The c < 1 with P(chi2 <= c * degrees) <= (c exp(1 - c))**(degrees / 2) = exp(-RARE), by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        small = middle == 0 or degrees / 2 * (math.log(middle) + 1 - middle) < -RARE
        low, high = (middle, high) if small else (low, middle)
    return low
