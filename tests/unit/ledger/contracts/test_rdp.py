"""The contract's accounting against Google's: dp-accounting is the oracle."""

from __future__ import annotations

from decimal import Decimal

import dp_accounting
import pytest
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.contracts import rdp
from ledger.contracts.constitution import ORDERS

GRID = [("0.5", "0.01"), ("0.7", "1"), ("1.0", "0.1"), ("1.1", "0.35"), ("2.5", "0.9"), ("4", "0.001"), ("20", "0.5")]


def oracle(sigma: str, q: str) -> list[float]:
    accountant = RdpAccountant(orders=list(ORDERS))
    step = dp_accounting.GaussianDpEvent(float(sigma))
    accountant.compose(step if q == "1" else dp_accounting.PoissonSampledDpEvent(float(q), step))
    return list(accountant._rdp)


@pytest.mark.parametrize(("sigma", "q"), GRID)
def test_the_curve_is_dp_accountings(sigma, q):
    for ours, theirs in zip(rdp.subsampled_gaussian(sigma, q), oracle(sigma, q), strict=True):
        # a float carries 1e-16 of A, which is 1 + (what we want) where there is little noise to account for
        assert ours / rdp.UNIT == pytest.approx(theirs, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("sigma", ["0.3", "1", "7.25"])
def test_a_gaussian_is_order_over_twice_the_variance(sigma):
    for order, units in zip(ORDERS, rdp.gaussian(sigma), strict=True):
        exact = Decimal(order) / (2 * Decimal(sigma) ** 2) * rdp.UNIT
        assert exact <= units < exact + 1


@settings(max_examples=20)
@given(st.decimals("0.4", "9", places=2), st.decimals("0.01", "1", places=2), st.integers(1, 2000))
def test_epsilon_is_never_below_and_hardly_above_dp_accountings(sigma, q, steps):
    curve = rdp.times(rdp.subsampled_gaussian(str(sigma), str(q)), steps)
    accountant = RdpAccountant(orders=list(ORDERS))
    event = dp_accounting.PoissonSampledDpEvent(float(q), dp_accounting.GaussianDpEvent(float(sigma)))
    accountant.compose(event, steps)
    theirs = accountant.get_epsilon(1e-5)
    assert float(rdp.epsilon(curve, "0.00001")) == pytest.approx(theirs, rel=1e-9, abs=2e-6)
    assert float(rdp.epsilon(curve, "0.00001")) >= theirs - 1e-9


def test_nothing_costs_nothing():
    assert rdp.epsilon(rdp.NOTHING, "0.0001") == 0


@given(st.decimals("0.4", "9", places=2), st.integers(1, 50))
def test_more_costs_more(sigma, steps):
    curve = rdp.gaussian(str(sigma))
    assert rdp.epsilon(rdp.times(curve, steps + 1), "0.0001") >= rdp.epsilon(rdp.times(curve, steps), "0.0001")


@pytest.mark.parametrize(("sigma", "q"), [("0.1", "1"), ("0.1", "0.000000000000000001"), ("999999999", "0.5")])
def test_the_edges_of_what_a_plan_may_say(sigma, q):
    assert all(units >= 0 for units in rdp.subsampled_gaussian(sigma, q))
    assert rdp.epsilon(rdp.times(rdp.subsampled_gaussian(sigma, q), 10**9), "0.0001") >= 0


def test_an_account_gives_no_more_than_it_holds():
    with pytest.raises(ArithmeticError):
        rdp.minus(rdp.NOTHING, rdp.gaussian("1"))


def test_curves_travel_as_text():
    curve = rdp.subsampled_gaussian("1.0", "0.1")
    assert rdp.read(rdp.written(curve)) == curve
