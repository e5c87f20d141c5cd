"""An event out of range cannot exist."""

from __future__ import annotations

import pytest

from training.errors import PrivacyRefused
from training.privacy.events import Gaussian, PoissonSampledGaussian

BAD = [0, -1.0, float("nan"), float("inf"), True, "1"]


@pytest.mark.parametrize("sigma", BAD)
def test_sigma(sigma):
    for make in (lambda: Gaussian(sigma), lambda: PoissonSampledGaussian(sigma, 0.5, 1)):
        with pytest.raises(PrivacyRefused) as refusal:
            make()
        assert refusal.value.code == "privacy.sigma"


@pytest.mark.parametrize("q", [0, -0.1, 1.0000001, float("nan"), True, "0.5"])
def test_q(q):
    with pytest.raises(PrivacyRefused) as refusal:
        PoissonSampledGaussian(1.0, q, 1)
    assert refusal.value.code == "privacy.q"


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "3"])
def test_steps(steps):
    with pytest.raises(PrivacyRefused) as refusal:
        PoissonSampledGaussian(1.0, 0.5, steps)
    assert refusal.value.code == "privacy.steps"
