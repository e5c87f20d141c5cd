"""What the demo plans: whatever epsilon and rounds it takes, there is a noise that keeps the study within it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portal.demo.research import counts_noise
from training.models.heart import DEFAULTS
from training.privacy.calibration import sigma_for
from training.privacy.events import Gaussian

SPARE = 2


@pytest.mark.parametrize("rounds", [4, 200])
@pytest.mark.parametrize("epsilon", ["0.1", "1", "1.884", "10"])
def test_there_is_a_noise_for_every_epsilon_that_the_demo_takes(epsilon: str, rounds: int) -> None:
    """The counts of the evaluation alone cost 1.88 with the network's own noise on them."""
    noise = max(Decimal(DEFAULTS.metrics_sigma), counts_noise(epsilon, Decimal(DEFAULTS.delta)))
    steps = DEFAULTS.local_steps * (rounds + SPARE)
    assert sigma_for(epsilon, DEFAULTS.delta, DEFAULTS.q, steps, [Gaussian(float(noise))])


def test_at_the_epsilon_that_the_network_was_tuned_for_its_own_noise_on_counts_stands() -> None:
    assert counts_noise(DEFAULTS.epsilon, Decimal(DEFAULTS.delta)) <= Decimal(DEFAULTS.metrics_sigma)
