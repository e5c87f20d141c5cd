"""What every accountant must do, and that ours agree with dp-accounting, with Opacus and with the ledger's decimals."""

from __future__ import annotations

import itertools

import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.rdp import RdpAccountant as TheirRdp
from opacus.accountants import RDPAccountant as OpacusRdp

from ledger.contracts import constitution, rdp
from training.errors import PrivacyRefused
from training.privacy.accountants import ORDERS, PldAccountant, RdpAccountant, curve, pld_epsilon, rdp_epsilon
from training.privacy.events import Gaussian, PoissonSampledGaussian

GRID = list(itertools.product((0.5, 1.0, 3.0, 40.0), (0.001, 0.05, 0.5, 1.0), (1, 60)))
accountants = pytest.mark.parametrize("accountant", [RdpAccountant, PldAccountant])


def epsilon(accountant, events, delta=1e-4):
    account = accountant()
    for event in events:
        account.compose(event)
    return account.epsilon(delta)


@accountants
def test_nothing_released_costs_nothing(accountant):
    assert accountant().epsilon(1e-6) == 0.0


@accountants
def test_the_order_of_events_does_not_matter(accountant):
    events = [PoissonSampledGaussian(1.1, 0.2, 10), Gaussian(4.0), PoissonSampledGaussian(2.0, 0.4, 5)]
    assert epsilon(accountant, events) == pytest.approx(epsilon(accountant, events[::-1]), rel=1e-9)


@accountants
def test_steps_taken_apart_cost_what_they_cost_together(accountant):
    together = epsilon(accountant, [PoissonSampledGaussian(1.5, 0.2, 12)])
    assert epsilon(accountant, [PoissonSampledGaussian(1.5, 0.2, 4)] * 3) == pytest.approx(together, rel=1e-3)


@accountants
def test_more_noise_costs_less_and_more_of_anything_else_costs_more(accountant):
    base = epsilon(accountant, [PoissonSampledGaussian(1.5, 0.2, 20)])
    assert epsilon(accountant, [PoissonSampledGaussian(1.6, 0.2, 20)]) < base
    assert epsilon(accountant, [PoissonSampledGaussian(1.5, 0.25, 20)]) > base
    assert epsilon(accountant, [PoissonSampledGaussian(1.5, 0.2, 25)]) > base
    assert epsilon(accountant, [PoissonSampledGaussian(1.5, 0.2, 20), Gaussian(10.0)]) > base
    assert epsilon(accountant, [PoissonSampledGaussian(1.5, 0.2, 20)], delta=1e-6) > base


@accountants
def test_a_sample_of_everybody_is_no_sample(accountant):
    assert epsilon(accountant, [PoissonSampledGaussian(2.0, 1.0, 3)]) == pytest.approx(
        epsilon(accountant, [Gaussian(2.0)] * 3), rel=1e-6
    )


@accountants
@pytest.mark.parametrize("delta", [0.0, 1.0, -1e-5, float("nan"), True])
def test_a_delta_out_of_range_is_refused(accountant, delta):
    with pytest.raises(PrivacyRefused) as refusal:
        accountant().epsilon(delta)
    assert refusal.value.code == "privacy.delta"


@pytest.mark.parametrize("accountant", [RdpAccountant])
def test_what_cannot_be_accounted_leaves_the_history_as_it_was(accountant):
    account = accountant()
    account.compose(Gaussian(2.0))
    before = account.epsilon(1e-4)
    for event in (Gaussian(1e-200), PoissonSampledGaussian(1e-180, 0.5, 1), object()):
        with pytest.raises(PrivacyRefused):
            account.compose(event)
    assert account.epsilon(1e-4) == before


@pytest.mark.parametrize(("sigma", "q", "steps"), GRID)
def test_the_curve_is_dp_accountings(sigma, q, steps):
    theirs = TheirRdp(orders=list(ORDERS))
    theirs.compose(SelfComposedDpEvent(PoissonSampledDpEvent(q, GaussianDpEvent(sigma)), steps))
    assert curve(PoissonSampledGaussian(sigma, q, steps)) == pytest.approx(theirs._rdp, rel=1e-9, abs=1e-12)
    ours = rdp_epsilon([PoissonSampledGaussian(sigma, q, steps)], 1e-5)
    assert ours == pytest.approx(theirs.get_epsilon(1e-5), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("sigma", "q", "steps"), [(1.0, 0.1, 100), (2.0, 0.2, 300), (5.0, 1.0, 50)])
def test_opacus_says_the_same_at_our_orders(sigma, q, steps):
    theirs = OpacusRdp()
    theirs.history = [(sigma, q, steps)]
    expected = theirs.get_epsilon(1e-5, alphas=list(ORDERS))
    assert rdp_epsilon([PoissonSampledGaussian(sigma, q, steps)], 1e-5) == pytest.approx(expected, rel=1e-6)


def test_the_orders_are_the_ledgers():
    assert tuple(constitution.ORDERS) == ORDERS


@pytest.mark.parametrize(("sigma", "q"), [("0.5", "0.001"), ("1.0", "0.1"), ("2.8", "0.4"), ("40", "0.5"), ("3", "1")])
def test_the_ledgers_decimals_are_the_floats(sigma, q):
    ours = curve(PoissonSampledGaussian(float(sigma), float(q), 1))
    theirs = [units / rdp.UNIT for units in rdp.subsampled_gaussian(sigma, q)]
    assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-15)


@pytest.mark.parametrize(("sigma", "q", "steps"), [(1.0, 0.1, 100), (1.6, 0.2, 60), (2.95, 0.4, 60), (8.0, 1.0, 20)])
def test_pld_reports_no_more_than_rdp_gates(sigma, q, steps):
    events = [PoissonSampledGaussian(sigma, q, steps), Gaussian(3.0)]
    assert 0 < pld_epsilon(events, 1e-4) <= rdp_epsilon(events, 1e-4)


def test_a_known_gaussian():
    """Balle and Wang 2018: epsilon of one Gaussian release with sigma 1 at delta 1e-5 is 4.377, exactly."""
    assert pld_epsilon([Gaussian(1.0)], 1e-5) == pytest.approx(4.377, abs=2e-3)
    assert 4.377 < rdp_epsilon([Gaussian(1.0)], 1e-5) < 4.8
