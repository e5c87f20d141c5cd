"""The checks of the privacy itself hold for the trainer as it is, and find the trainers that are wrong on purpose.

COVENANT_SOAK=1 runs each check ten times.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.support.privacy_checks import CLIP, PATIENTS, SIGMA, WIDE, add_networks, by_words, update
from tests.support.privacy_mutants import MUTANTS
from training.models import networks, registry
from training.site import trainer

ENGINES = ("torch.func", "layerwise")  # of the networks that plans may name
TIMES = 10 if os.environ.get("COVENANT_SOAK") == "1" else 1


@pytest.fixture(autouse=True)
def engine(request, monkeypatch):
    """The one that takes the clipped sums of all networks."""
    descriptions, builders = dict(registry.DESCRIPTIONS), dict(networks.BUILDERS)
    add_networks(descriptions, builders, getattr(request, "param", "torch.func"))
    monkeypatch.setattr(registry, "DESCRIPTIONS", descriptions)
    monkeypatch.setattr(networks, "BUILDERS", builders)
    trainer.engine.cache_clear()


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.parametrize("check", by_words())
def test_the_trainer_as_it_is_passes(check, engine):
    for _ in range(TIMES):
        assert by_words()[check]()


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.parametrize(
    ("mutant", "check"),
    [pytest.param(mutant, check, id=f"{mutant.wrong}: {check}") for mutant in MUTANTS for check in mutant.found_by],
)
def test_what_is_wrong_is_found(mutant, check, engine, monkeypatch):
    mutant.apply(monkeypatch)
    for _ in range(TIMES):
        assert not by_words()[check]()


def test_every_check_finds_something():
    assert {check for mutant in MUTANTS for check in mutant.found_by} == set(by_words())


def test_a_step_without_anybody_is_noise_all_the_same():
    nobody = update(np.zeros((0, WIDE), np.float32))
    assert nobody.std() == pytest.approx(SIGMA, rel=0.05)


def test_a_sum_is_divided_by_the_public_constant_only():
    """With all patients alike and little noise, the mean update is q * n * clip / expected, not clip."""
    ones = np.ones((PATIENTS, PATIENTS), np.float32)
    moved = [np.linalg.norm(update(ones, sigma=1e-6, q=0.5)) for _ in range(60)]
    assert np.mean(moved) == pytest.approx(0.5 * PATIENTS, rel=0.08)
    assert np.std(moved) * CLIP > 0.6  # Poisson: the number of patients varies, the divisor does not
