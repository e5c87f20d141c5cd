"""What an auditor would run on the trainer: is the noise as large as claimed, fresh, and is each patient bounded?

Each check is shown to fail on mutants (docs/formats/training.md names them). They run the real step of the trainer on a
network of 20,001 weights whose gradient is zero, or known.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from training.privacy.accountants import rdp_epsilon
from training.privacy.engine import PatientEngine
from training.privacy.events import PoissonSampledGaussian
from training.privacy.mechanism import Mechanism
from training.privacy.noise import Keystream
from training.site import trainer
from training.site.trainer import Step, group, run

WIDTH, PATIENTS = 20_000, 60
SIGMA, CLIP, RATE, EXPECTED = 1.7, 0.8, 0.5, 30.0
CANARIES, DELTA = 2000, 1e-10
RARE = 1e-6  # a true trainer fails a check once in a million runs


class ReusedSeed(Keystream):
    """The mistake of set_determinism: every stream begins alike."""

    def _renew(self) -> None:
        super()._renew()
        self._cipher = self._open(bytes(32), bytes(16))


def linear_loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return outputs.mean()


def step(
    *,
    sigma: float = SIGMA,
    clip: float = CLIP,
    q: float = RATE,
    stream: type[Keystream] = Keystream,
    width: int = WIDTH,
) -> Step:
    mechanism = Mechanism(PoissonSampledGaussian(sigma, q, 1), CLIP, 1e-4, 1)
    return Step(engine(width, clip), mechanism, 1 / EXPECTED, stream())


@lru_cache
def engine(width: int, clip: float) -> PatientEngine:
    return PatientEngine(nn.Linear(width, 1), linear_loss, clip)


def update(
    make: Callable[[], Step], features: np.ndarray, steps: int = 1, owners: np.ndarray | None = None
) -> np.ndarray:
    """The change of the weights; each record is a patient's own unless `owners` says whose it is."""
    owners = np.arange(len(features)) if owners is None else owners
    patients = group(features, np.zeros(len(features), np.int64), owners, len(features))
    return run(np.zeros(features.shape[1] + 1, np.float32), patients, make(), steps).astype(np.float64)


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


def records_count_as_one_patient(make: Callable[[], Step], owners: np.ndarray) -> bool:
    """50 records of one patient, all alike, move the sum by no more than clip, plus noise."""
    alike = np.zeros((50, WIDTH), np.float32)
    alike[:, 0] = 1.0
    sums = [-update(make, alike, owners=owners)[0] * EXPECTED for _ in range(20)]
    return max(sums) < CLIP + 6 * SIGMA * CLIP


def each_patient_is_sampled_at_q(quiet: Callable[[], Step]) -> bool:
    """Counts of patients a step, of a trainer with next to no noise, are binomial, in their mean and their spread."""
    each = np.eye(PATIENTS, dtype=np.float32)
    counts = np.array([(-update(quiet, each)[:-1] * EXPECTED > CLIP / 4).sum() for _ in range(200)])
    total = stats.binomtest(int(counts.sum()), counts.size * PATIENTS, RATE).pvalue
    spread = float(((counts - PATIENTS * RATE) ** 2).sum() / (PATIENTS * RATE * (1 - RATE)))
    return min(total, 2 * stats.chi2.cdf(spread, counts.size), 2 * stats.chi2.sf(spread, counts.size)) > RARE


def shown_epsilon(make: Callable[[], Step]) -> float:
    """A lower bound on epsilon at DELTA from one run (Steinke, Nasr, Jagielski 2023, arXiv 2305.08846, theorem 5.2).

    Each of CANARIES patients has a direction of its own and takes part by the toss of a coin; whoever moves the sum
    most is guessed in, whoever least, out. A mechanism within epsilon lets no guess be right more often than
    e^epsilon / (1 + e^epsilon), but for DELTA; a true bound comes out too high once in a million runs.
    """
    taking_part = np.random.default_rng().random(CANARIES) < 0.5
    canaries = 1e4 * np.eye(CANARIES, dtype=np.float32)[taking_part]
    scores = -update(make, canaries)[:-1]
    order = np.argsort(scores)
    best = 0.0
    for guesses in (20, 100, 9 * CANARIES // 20):
        right = int((~taking_part[order[:guesses]]).sum() + taking_part[order[-guesses:]].sum())
        rate = stats.beta.ppf(RARE - 2 * CANARIES * DELTA, right, 2 * guesses - right + 1) if right else 0.0
        best = max(best, float(np.log(rate / (1 - rate)))) if rate > 0.5 else best
    return best


def claimed_epsilon() -> float:
    return rdp_epsilon([PoissonSampledGaussian(SIGMA, 1.0, 1)], DELTA)


def test_the_noise_is_as_large_as_claimed():
    assert noise_is_as_claimed(step)


def test_noise_differs_between_sites_and_rounds():
    assert noise_is_fresh(step)


def test_one_patient_moves_little():
    assert a_patient_is_bounded(step)


def test_a_patient_with_many_records_moves_as_little():
    assert records_count_as_one_patient(step, np.zeros(50, np.int64))


def test_patients_are_sampled_at_the_claimed_rate():
    assert each_patient_is_sampled_at_q(lambda: step(sigma=1e-6, width=PATIENTS))


def test_one_run_shows_no_more_than_the_claimed_epsilon():
    shown = shown_epsilon(lambda: step(q=1.0, width=CANARIES))
    assert shown < claimed_epsilon()


@pytest.mark.parametrize("factor", [1e-9, 0.5, 0.9, 1.1, 2.0])
def test_noise_of_another_size_is_found(factor):
    """The first: what leaves has no noise, as where it is added after the release."""
    assert not noise_is_as_claimed(lambda: step(sigma=factor * SIGMA))


def test_a_reused_seed_is_found():
    assert not noise_is_fresh(lambda: step(stream=ReusedSeed))


def test_missing_clipping_is_found():
    assert not a_patient_is_bounded(lambda: step(clip=1e9))


def test_records_counted_as_patients_are_found():
    assert not records_count_as_one_patient(step, np.arange(50))


def test_another_sampling_rate_is_found():
    assert not each_patient_is_sampled_at_q(lambda: step(sigma=1e-6, q=RATE + 0.05, width=PATIENTS))


def test_samples_of_a_fixed_size_are_found(monkeypatch):
    """Their mean is right; their analysis is another one."""

    def fixed(patients: int, q: float, stream: Keystream) -> np.ndarray:
        return np.sort(np.argsort(stream.uniforms(patients))[: round(q * patients)])

    monkeypatch.setattr(trainer, "poisson_sample", fixed)
    assert not each_patient_is_sampled_at_q(lambda: step(sigma=1e-6, width=PATIENTS))


@pytest.mark.parametrize("mutant", [{"sigma": SIGMA / 10}, {"clip": 1e9}], ids=["a tenth of the noise", "no clipping"])
def test_one_run_shows_more_than_claimed_of(mutant):
    assert shown_epsilon(lambda: step(q=1.0, width=CANARIES, **mutant)) > claimed_epsilon()


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
