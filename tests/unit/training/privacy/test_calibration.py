"""A calibrated sigma passes the ledger's own accounting, and one thousandth less noise would not pass ours."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.contracts import constitution, rdp
from training.errors import PrivacyRefused
from training.privacy.accountants import rdp_epsilon
from training.privacy.calibration import sigma_for
from training.privacy.events import Gaussian, PoissonSampledGaussian

CASES = [
    ("5", "0.0001", "0.4", 60),
    ("1", "0.0001", "0.2", 75),
    ("0.1", "0.00001", "0.5", 12),
    ("10", "0.001", "1", 30),
]


@pytest.mark.parametrize(("epsilon", "delta", "q", "steps"), CASES)
@pytest.mark.parametrize("metric", [None, "40"])
def test_the_ledger_accepts_what_was_calibrated(epsilon, delta, q, steps, metric):
    extra = [] if metric is None else [Gaussian(float(metric))]
    sigma = sigma_for(epsilon, delta, q, steps, extra)
    whole = rdp.times(rdp.subsampled_gaussian(sigma, q), steps)
    if metric:
        whole = rdp.plus(whole, rdp.gaussian(metric))
    assert rdp.epsilon(whole, delta) <= Decimal(epsilon)
    less = float(Decimal(sigma) - Decimal("0.001"))
    assert rdp_epsilon([PoissonSampledGaussian(less, float(q), steps), *extra], float(delta)) > float(epsilon) - 1e-5


def test_the_answer_is_a_short_plain_decimal():
    sigma = sigma_for("0.1", "0.000001", "0.9", 1000)
    assert "E" not in sigma.upper() and len(sigma.partition(".")[2]) <= 3


def test_the_least_noise_is_what_the_ledger_accepts():
    assert sigma_for(500, 1e-4, 0.001, 1) == "0.1" == str(constitution.MIN_SIGMA)


def test_orders_up_to_256_cannot_show_a_tiny_epsilon():
    with pytest.raises(PrivacyRefused) as refusal:
        sigma_for("0.01", "0.000001", "0.9", 10)
    assert refusal.value.code == "calibration.unreachable"


def test_other_releases_can_leave_no_room():
    with pytest.raises(PrivacyRefused) as refusal:
        sigma_for(1, 1e-5, 0.1, 10, [Gaussian(0.5)])
    assert refusal.value.code == "calibration.unreachable"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((0, 1e-5, 0.1, 10), "privacy.epsilon"),
        (("nan", 1e-5, 0.1, 10), "privacy.epsilon"),
        (("five", 1e-5, 0.1, 10), "privacy.epsilon"),
        ((1, "0", 0.1, 10), "privacy.delta"),
        ((1, 1e-5, "1.1", 10), "privacy.q"),
        ((1, 1e-5, 0.1, 0), "privacy.steps"),
    ],
)
def test_what_is_out_of_range_is_refused(arguments, code):
    with pytest.raises(PrivacyRefused) as refusal:
        sigma_for(*arguments)
    assert refusal.value.code == code
