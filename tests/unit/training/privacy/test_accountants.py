"""What every accountant must do: one suite, which the ledger's decimals, their floats and the reported PLD all pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal

import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant as TheirPld
from dp_accounting.rdp import RdpAccountant as TheirRdp
from opacus.accountants import PRVAccountant as OpacusPrv
from opacus.accountants import RDPAccountant as OpacusRdp

from ledger.contracts import accounts, constitution, rdp, reservations
from ledger.errors import Refused
from training.errors import PrivacyRefused
from training.privacy import losses
from training.privacy.accountants import (
    ORDERS,
    Accountant,
    PldAccountant,
    RdpAccountant,
    curve,
    pld_epsilon,
    rdp_epsilon,
    reported_epsilon,
)
from training.privacy.events import Gaussian, PoissonSampledGaussian, merged, parameters

GRID = list(itertools.product((0.5, 1.0, 3.0, 40.0), (0.001, 0.05, 0.5, 1.0), (1, 60)))
TYPICAL = PoissonSampledGaussian(4.0, 0.2, 20)


class LedgerAccountant:
    """The budget contract's account: what `studies:Update` adds to it, and the epsilon that is held against the cap."""

    def __init__(self) -> None:
        self.curve = rdp.NOTHING

    def compose(self, event):
        sigma, q, steps = parameters(event)
        sampled = isinstance(event, PoissonSampledGaussian)
        written = reservations.Event(
            mechanism="poisson-subsampled-gaussian" if sampled else "gaussian",
            sigma=decimal(sigma),
            q=decimal(q) if sampled else None,
            steps=steps,
        )
        self.curve = rdp.plus(self.curve, reservations.curve_of(written))

    def epsilon(self, delta):
        accounts.check_delta(decimal(delta))
        return float(rdp.epsilon(self.curve, decimal(delta)))


def decimal(number):
    """As plans write it."""
    return format(Decimal(str(number)), "f")


@pytest.fixture(params=[LedgerAccountant, RdpAccountant, PldAccountant])
def accountant(request) -> Callable[[], Accountant]:
    return request.param


def epsilon(accountant, events, delta=1e-4):
    account = accountant()
    for event in events:
        account.compose(event)
    return account.epsilon(delta)


class TestEveryAccountant:
    def test_nothing_released_costs_nothing(self, accountant):
        assert accountant().epsilon(1e-6) == 0.0

    def test_asking_changes_nothing(self, accountant):
        account = accountant()
        account.compose(TYPICAL)
        assert account.epsilon(1e-4) == account.epsilon(1e-4) == epsilon(accountant, [TYPICAL])

    def test_the_order_of_events_does_not_matter(self, accountant):
        events = [PoissonSampledGaussian(3.1, 0.2, 10), Gaussian(4.0), PoissonSampledGaussian(5.0, 0.4, 5)]
        assert epsilon(accountant, events) == pytest.approx(epsilon(accountant, events[::-1]), rel=1e-9)

    def test_steps_taken_apart_cost_what_they_cost_together(self, accountant):
        together = epsilon(accountant, [PoissonSampledGaussian(4.0, 0.2, 12)])
        assert epsilon(accountant, [PoissonSampledGaussian(4.0, 0.2, 4)] * 3) == pytest.approx(together, rel=1e-6)

    @pytest.mark.parametrize(
        "more",
        [
            [PoissonSampledGaussian(3.9, 0.2, 20)],
            [PoissonSampledGaussian(4.0, 0.25, 20)],
            [PoissonSampledGaussian(4.0, 1.0, 20)],
            [PoissonSampledGaussian(4.0, 0.2, 21)],
            [TYPICAL, Gaussian(20.0)],
            [TYPICAL, TYPICAL],
        ],
    )
    def test_less_noise_and_more_of_anything_else_cost_more(self, accountant, more):
        assert epsilon(accountant, more) > epsilon(accountant, [TYPICAL])

    def test_it_costs_more_the_smaller_delta_is(self, accountant):
        found = [epsilon(accountant, [TYPICAL], delta) for delta in (1e-9, 1e-6, 1e-4, 1e-2)]
        assert found == sorted(found, reverse=True) and len(set(found)) == 4

    def test_events_together_cost_less_than_their_epsilons_added_up(self, accountant):
        assert epsilon(accountant, [TYPICAL] * 5) < 5 * epsilon(accountant, [TYPICAL])

    def test_a_sample_of_everybody_is_no_sample(self, accountant):
        assert epsilon(accountant, [PoissonSampledGaussian(2.0, 1.0, 3)]) == pytest.approx(
            epsilon(accountant, [Gaussian(2.0)] * 3), rel=1e-6
        )

    @pytest.mark.parametrize("delta", [0.0, 1.0, -1e-5])
    def test_a_delta_out_of_range_is_refused(self, accountant, delta):
        with pytest.raises((PrivacyRefused, Refused), match=r"\.delta"):
            accountant().epsilon(delta)

    @pytest.mark.parametrize("delta", [1e-300, 0.02])
    def test_a_delta_at_the_edge_is_answered(self, accountant, delta):
        """Distributions leave out masses of about 1e-15: below that, RDP alone can say something."""
        assert 0.0 <= epsilon(accountant, [TYPICAL], delta) <= 1e-6 + rdp_epsilon([TYPICAL], delta) < 1000

    @pytest.mark.parametrize(("sigma", "q", "steps"), [(1.6, 0.2, 60), (2.95, 0.4, 60), (8.0, 1.0, 20)])
    def test_none_says_less_than_the_tightest_and_none_more_than_the_ledger(self, accountant, sigma, q, steps):
        events = [PoissonSampledGaussian(sigma, q, steps), Gaussian(3.0)]
        least, most = pld_epsilon(events, 1e-4), epsilon(LedgerAccountant, events)
        assert 0 < least <= epsilon(accountant, events) <= most

    def test_one_gaussian_is_known_exactly(self, accountant):
        """Balle and Wang 2018: with sigma 1, at delta 1e-5, epsilon is 4.377."""
        assert 4.377 < epsilon(accountant, [Gaussian(1.0)], 1e-5) < 4.8


@pytest.mark.parametrize("accountant", [RdpAccountant, PldAccountant])
class TestInFloats:
    """What the ledger's types keep out before its account sees it."""

    @pytest.mark.parametrize("delta", [1.0 - 1e-9, 0.9])
    def test_a_delta_that_promises_next_to_nothing_is_still_one(self, accountant, delta):
        assert epsilon(accountant, [TYPICAL], delta) == 0.0

    @pytest.mark.parametrize("delta", [float("nan"), True, "0.1"])
    def test_a_delta_that_is_no_number_is_refused(self, accountant, delta):
        with pytest.raises(PrivacyRefused, match=r"privacy\.delta"):
            accountant().epsilon(delta)

    @pytest.mark.parametrize("event", [Gaussian(1e-200), PoissonSampledGaussian(1e-180, 0.5, 1), object()])
    def test_what_cannot_be_accounted_leaves_the_history_as_it_was(self, accountant, event):
        account = accountant()
        account.compose(Gaussian(2.0))
        before = account.epsilon(1e-4)
        with pytest.raises(PrivacyRefused):
            account.compose(event)
        assert account.epsilon(1e-4) == before


class TestAgainstOthers:
    @pytest.mark.parametrize(("sigma", "q", "steps"), GRID)
    def test_the_curve_is_dp_accountings(self, sigma, q, steps):
        theirs = TheirRdp(orders=list(ORDERS))
        theirs.compose(SelfComposedDpEvent(PoissonSampledDpEvent(q, GaussianDpEvent(sigma)), steps))
        assert curve(PoissonSampledGaussian(sigma, q, steps)) == pytest.approx(theirs._rdp, rel=1e-9, abs=1e-12)
        ours = rdp_epsilon([PoissonSampledGaussian(sigma, q, steps)], 1e-5)
        assert ours == pytest.approx(theirs.get_epsilon(1e-5), rel=1e-9, abs=1e-9)

    @pytest.mark.parametrize(("sigma", "q", "steps"), [(1.0, 0.1, 100), (2.0, 0.2, 300), (5.0, 1.0, 50)])
    def test_opacus_says_the_same_at_our_orders(self, sigma, q, steps):
        theirs = OpacusRdp()
        theirs.history = [(sigma, q, steps)]
        expected = theirs.get_epsilon(1e-5, alphas=list(ORDERS))
        assert rdp_epsilon([PoissonSampledGaussian(sigma, q, steps)], 1e-5) == pytest.approx(expected, rel=1e-6)

    def test_opacus_by_another_way_says_what_pld_says(self):
        """Gopi, Lee and Wutschitz 2021: privacy random variables, an independent computation of the same number."""
        theirs = OpacusPrv()
        theirs.history = [(1.6, 0.2, 60)]
        expected = theirs.get_epsilon(1e-5, eps_error=0.01)
        assert expected - 0.03 < pld_epsilon([PoissonSampledGaussian(1.6, 0.2, 60)], 1e-5) < expected  # an upper bound

    def test_kept_distributions_are_what_dp_accounting_composes_anew(self):
        theirs = TheirPld()
        for sigma, q, steps in ((4.0, 0.2, 20), (6.0, 0.1, 5)):
            theirs.compose(SelfComposedDpEvent(PoissonSampledDpEvent(q, GaussianDpEvent(sigma)), steps))
        theirs.compose(GaussianDpEvent(20.0))
        events = [PoissonSampledGaussian(4.0, 0.2, 20), PoissonSampledGaussian(6.0, 0.1, 5), Gaussian(20.0)]
        assert pld_epsilon(events, 1e-5) == pld_epsilon(events, 1e-5)
        assert pld_epsilon(events, 1e-5) == pytest.approx(theirs.get_epsilon(1e-5), rel=1e-9)

    def test_the_orders_are_the_ledgers(self):
        assert tuple(constitution.ORDERS) == ORDERS
        assert Decimal(str(losses.LEAST_SIGMA)) == constitution.MIN_SIGMA

    @pytest.mark.parametrize(
        ("sigma", "q"), [("0.5", "0.001"), ("1.0", "0.1"), ("2.8", "0.4"), ("40", "0.5"), ("3", "1")]
    )
    def test_the_ledgers_decimals_are_the_floats(self, sigma, q):
        ours = curve(PoissonSampledGaussian(float(sigma), float(q), 1))
        theirs = [units / rdp.UNIT for units in rdp.subsampled_gaussian(sigma, q)]
        assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-15)


class TestLongHistories:
    def test_merging_a_history_changes_no_epsilon(self):
        step = PoissonSampledGaussian(1.5, 0.1, 3)
        history = [step, Gaussian(20.0), step, PoissonSampledGaussian(2.5, 0.1, 3), Gaussian(20.0)]
        together = merged(history)
        assert len(together) == 3
        assert rdp_epsilon(together, 1e-5) == pytest.approx(rdp_epsilon(history, 1e-5), rel=1e-12)

    @pytest.mark.parametrize(
        ("events", "grid"),
        [
            ([PoissonSampledGaussian(1.6 + place, 0.2, 60) for place in range(2)], losses.COARSE),
            ([PoissonSampledGaussian(1.6, 0.2, 60), Gaussian(300.0)], losses.COARSE),
            ([PoissonSampledGaussian(30.0, 0.01, 600)], losses.FINE),
        ],
    )
    def test_a_report_is_no_less_and_hardly_more_than_on_the_fine_grid(self, events, grid):
        assert losses.grid_for(events) == grid
        fine = pld_epsilon(events, 1e-5)
        assert fine <= reported_epsilon(events, 1e-5) <= 1.003 * fine

    def test_a_history_that_protects_nobody_is_told_by_rdp_at_once(self):
        losses._of.cache_clear()
        events = [PoissonSampledGaussian(0.1, 0.3, 50_000)]
        assert reported_epsilon(events, 1e-5) == rdp_epsilon(events, 1e-5) > 1e5
        assert losses._of.cache_info().misses == 0

    def test_another_study_costs_one_more_composition(self):
        losses._composed.cache_clear()
        events = [PoissonSampledGaussian(2.0 + place, 0.2, 10) for place in range(4)]
        reported_epsilon(events[:3], 1e-5)
        made = losses._composed.cache_info().misses
        reported_epsilon(events, 1e-5)
        assert (made, losses._composed.cache_info().misses) == (3, 4)
