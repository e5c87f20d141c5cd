"""What an auditor would run on the trainer: is the noise as large as claimed, fresh, and is each patient bounded?

Each check is shown to fail on a mutant: half the noise, a reused seed, no clipping. They run the real step of the
trainer on a network of 20,001 weights whose gradient is zero, or known.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from training.privacy.engine import PatientEngine
from training.privacy.events import PoissonSampledGaussian
from training.privacy.mechanism import Mechanism
from training.privacy.noise import Keystream
from training.site.trainer import Step, group, run

WIDTH, PATIENTS = 20_000, 60
SIGMA, CLIP, EXPECTED = 1.7, 0.8, 30.0
RARE = 1e-6  # a true trainer fails a check once in a million runs


class ReusedSeed(Keystream):
    """The mistake of set_determinism: every stream begins alike."""

    def _renew(self) -> None:
        super()._renew()
        self._cipher = self._open(bytes(32), bytes(16))


def linear_loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return outputs.mean()


def step(*, sigma: float = SIGMA, clip: float = CLIP, stream: type[Keystream] = Keystream) -> Step:
    mechanism = Mechanism(PoissonSampledGaussian(sigma, 0.5, 1), CLIP, 1e-4, 1)
    return Step(PatientEngine(nn.Linear(WIDTH, 1), linear_loss, clip), mechanism, 1 / EXPECTED, stream())


def update(make: Callable[[], Step], features: np.ndarray, steps: int = 1) -> np.ndarray:
    patients = group(features, np.zeros(len(features), np.int64), np.arange(len(features)), 1)
    return run(np.zeros(WIDTH + 1, np.float32), patients, make(), steps).astype(np.float64)


def zeros() -> np.ndarray:
    return np.zeros((PATIENTS, WIDTH), np.float32)


def noise_is_as_claimed(make: Callable[[], Step]) -> bool:
    """Two-sided chi-squared on the coordinates that have no gradient (all but the bias)."""
    noise = update(make, zeros())[:-1] * EXPECTED / (SIGMA * CLIP)
    square = float(noise @ noise)
    return 2 * min(stats.chi2.cdf(square, WIDTH), stats.chi2.sf(square, WIDTH)) > RARE


def noise_is_fresh(make: Callable[[], Step]) -> bool:
    """No correlation between hospitals, nor between rounds."""
    sites = [update(make, zeros())[:-1] for _ in range(4)]
    correlations = np.corrcoef(sites)[np.triu_indices(4, 1)]
    return bool((abs(correlations) < stats.norm.isf(RARE) / np.sqrt(WIDTH)).all())


def a_patient_is_bounded(make: Callable[[], Step]) -> bool:
    """One patient with a huge record moves the sum along its direction by no more than clip, plus noise."""
    direction = np.zeros((1, WIDTH), np.float32)
    direction[0, 0] = 1e4
    sums = [-update(make, direction)[0] * EXPECTED for _ in range(20)]
    return max(sums) < CLIP + 6 * SIGMA * CLIP


def test_the_noise_is_as_large_as_claimed():
    assert noise_is_as_claimed(step)


def test_noise_differs_between_sites_and_rounds():
    assert noise_is_fresh(step)


def test_one_patient_moves_little():
    assert a_patient_is_bounded(step)


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 2.0])
def test_noise_of_another_size_is_found(factor):
    assert not noise_is_as_claimed(lambda: step(sigma=factor * SIGMA))


def test_a_reused_seed_is_found():
    assert not noise_is_fresh(lambda: step(stream=ReusedSeed))


def test_missing_clipping_is_found():
    assert not a_patient_is_bounded(lambda: step(clip=1e9))


def test_noise_is_drawn_anew_in_each_local_step():
    """Five steps' noise adds up in variance; the same noise five times would be five times too much."""
    five = update(step, zeros(), steps=5)[:-1] * EXPECTED / (SIGMA * CLIP)
    assert five.var() == pytest.approx(5, rel=0.1)
    repeated = update(lambda: step(sigma=5 * SIGMA), zeros())[:-1] * EXPECTED / (SIGMA * CLIP)
    assert repeated.var() == pytest.approx(25, rel=0.1)


def test_a_step_without_anybody_is_noise_all_the_same():
    nobody = update(step, np.zeros((0, WIDTH), np.float32))
    assert nobody.std() * EXPECTED == pytest.approx(SIGMA * CLIP, rel=0.05)


def test_a_sum_is_divided_by_the_public_constant_only():
    """With all patients alike and little noise, the mean update is q * n * clip / expected, not clip."""
    ones = np.ones((PATIENTS, WIDTH), np.float32)
    moved = [np.linalg.norm(update(lambda: step(sigma=1e-6), ones)) for _ in range(60)]
    assert np.mean(moved) == pytest.approx(0.5 * PATIENTS * CLIP / EXPECTED, rel=0.08)
    assert np.std(moved) > 0.02  # Poisson: the number of patients varies, the divisor does not
