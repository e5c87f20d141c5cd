"""How much privacy a history of events has cost: epsilon at a given delta, for adding or removing one patient.

Two accountants, one protocol. RDP gates: it is fast, always an upper bound, and stands on the integer orders at which
the ledger's budget contract computes the same curve in decimals. PLD reports: it is tighter, and Google's dp-accounting
computes it (training.privacy.losses). Both give upper bounds up to floating-point rounding (about 1e-12 relative for
RDP).

    >>> account = RdpAccountant()
    >>> account.compose(PoissonSampledGaussian(sigma=1.0, q=0.1, steps=100))
    >>> round(account.epsilon(1e-5), 4)
    7.9729
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.errors import PrivacyRefused
from training.privacy import losses
from training.privacy.events import Event, Gaussian, PoissonSampledGaussian, merged, require_delta
from training.privacy.losses import FINE

HOPELESS = 100.0  # epsilon; ten times the ledger's ceiling
ORDERS = (*range(2, 65), 72, 80, 96, 128, 192, 256)  # the budget contract's; a test compares the two


class Accountant(Protocol):
    """A history that events are added to. An event is complete and in range before it gets here: events check it."""

    def compose(self, event: Event) -> None: ...

    def epsilon(self, delta: float) -> float:
        """The smallest epsilon >= 0 this accountant can show at `delta` in (0, 1); 0.0 for an empty history."""


class RdpAccountant:
    """Renyi differential privacy at ORDERS, composed by addition (Mironov 2017, proposition 1)."""

    def __init__(self) -> None:
        self._rdp = np.zeros(len(ORDERS))

    def compose(self, event: Event) -> None:
        self._rdp = self._rdp + curve(event)

    def epsilon(self, delta: float) -> float:
        """Raises PrivacyRefused `privacy.delta`. Canonne, Kamath and Steinke 2020 (arXiv 2004.00010), prop. 12."""
        require_delta(delta)
        if not self._rdp.any():
            return 0.0
        orders = np.array(ORDERS, dtype=np.float64)
        bounds = self._rdp + np.log1p(-1 / orders) - (math.log(delta) + np.log(orders)) / (orders - 1)
        return max(0.0, float(bounds.min()))


class PldAccountant:
    """Privacy loss distributions on a grid of `grid` (> 0): epsilon is rounded up, by less the finer it is.

    RDP's bound stands where it is the lower one: at a delta below 1e-14 or so, where distributions are cut off.
    """

    def __init__(self, grid: float = FINE) -> None:
        self._grid = grid
        self._history: tuple[Event, ...] = ()

    def compose(self, event: Event) -> None:
        """Raises PrivacyRefused `privacy.event`, `privacy.sigma`, and adds nothing then."""
        losses.check(event)
        self._history = (*self._history, event)

    def epsilon(self, delta: float) -> float:
        """Raises PrivacyRefused `privacy.delta`."""
        require_delta(delta)
        if not self._history:
            return 0.0
        found = float(losses.composed(merged(self._history), self._grid).get_epsilon_for_delta(delta))
        return min(max(0.0, found), rdp_epsilon(self._history, delta))


def rdp_epsilon(events: Iterable[Event], delta: float) -> float:
    """Epsilon of `events` together by RDP, as the ledger gates (in floats: the contract's decimals decide)."""
    return _epsilon(RdpAccountant(), events, delta)


def pld_epsilon(events: Iterable[Event], delta: float) -> float:
    """Epsilon of `events` together by PLD, as certificates report it."""
    return _epsilon(PldAccountant(), events, delta)


def reported_epsilon(events: Sequence[Event], delta: float) -> float:
    """Epsilon of a long history by PLD, on the coarsest grid that loosens it by no more than a few thousandths.

    By RDP where that is above HOPELESS: it protects nobody, and its distribution would fill the machine's memory.
    """
    bound = rdp_epsilon(events, delta)
    return bound if bound > HOPELESS else _epsilon(PldAccountant(losses.grid_for(events)), events, delta)


@lru_cache(maxsize=64)
def curve(event: Event) -> NDArray[np.float64]:
    """The RDP of `event` at each of ORDERS, >= 0."""
    match event:
        case Gaussian(sigma):
            rdp = _gaussian(sigma)
        case PoissonSampledGaussian(sigma, q, steps):
            rdp = steps * (_gaussian(sigma) if q == 1 else _sampled_gaussian(sigma, q))
        case _:
            raise PrivacyRefused("privacy.event", "this mechanism is not one that the accountants know")
    if not np.isfinite(rdp).all():
        raise PrivacyRefused("privacy.sigma", "sigma is too small for any order to be accounted: raise it")
    rdp.setflags(write=False)  # cached
    return rdp


def _gaussian(sigma: float) -> NDArray[np.float64]:
    """Mironov 2017 (arXiv 1702.07476), proposition 7."""
    with np.errstate(over="ignore", divide="ignore"):
        rdp: NDArray[np.float64] = np.array(ORDERS, dtype=np.float64) / (2 * np.float64(sigma) ** 2)
    return rdp


def _sampled_gaussian(sigma: float, q: float) -> NDArray[np.float64]:
    """Mironov, Talwar and Zhang 2019 (arXiv 1908.10530), section 3.3: integer orders, in log space.

    A = sum_k C(a,k) q^k (1-q)^(a-k) exp((k^2-k)/(2 sigma^2)). The binomial weights sum to 1, so A - 1 is the same sum
    over expm1(...), whose terms are >= 0 (0 for k < 2): no cancellation where A is close to 1.
    """
    rdp = np.empty(len(ORDERS))
    with np.errstate(over="ignore", divide="ignore", under="ignore"):
        for place, order in enumerate(ORDERS):
            k = np.arange(2, order + 1, dtype=np.float64)
            weights = _log_binomials(order) + k * math.log(q) + (order - k) * math.log1p(-q)
            exponents = (k * k - k) / (2 * np.float64(sigma) ** 2)
            terms = weights + exponents + np.log(-np.expm1(-exponents))  # log(expm1(x)) = x + log(1 - exp(-x))
            rdp[place] = np.logaddexp(0.0, np.logaddexp.reduce(terms)) / (order - 1)
    return rdp


@lru_cache(maxsize=len(ORDERS))
def _log_binomials(order: int) -> NDArray[np.float64]:
    """log C(order, k) for k = 2..order, from exact integers."""
    return np.array([math.log(math.comb(order, k)) for k in range(2, order + 1)])


def _epsilon(account: Accountant, events: Iterable[Event], delta: float) -> float:
    for event in events:
        account.compose(event)
    return account.epsilon(delta)
