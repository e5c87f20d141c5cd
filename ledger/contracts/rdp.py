"""Rényi differential privacy computed by the contract itself, the same digits at every endorser.

A curve holds one number for each integer order of `constitution.ORDERS`, in units of 1e-18, rounded up. `decimal`
rounds exp and ln correctly (IBM's General Decimal Arithmetic), so the digits depend on neither machine nor library
version.

    >>> gaussian("2")[0] == ORDERS[0] * UNIT // 8
    True
    >>> epsilon(times(subsampled_gaussian("1.0", "0.1"), 100), "0.00001")
    Decimal('7.972922')
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, Context, Decimal, localcontext
from functools import lru_cache

from ledger.contracts.constitution import ORDERS

Curve = tuple[int, ...]

UNIT = 10**18
NOTHING: Curve = (0,) * len(ORDERS)
PLACES = Decimal("0.000001")  # epsilons are told in millionths, rounded up
EXACT = Context(prec=50, Emax=MAX_EMAX, Emin=MIN_EMIN)  # 50 digits: far more than a unit of 1e-18 can feel


@lru_cache(maxsize=256)
def gaussian(sigma: str) -> Curve:
    """One Gaussian release with noise `sigma` (> 0) times the L2 sensitivity: alpha / (2 sigma^2) at order alpha.

    Source: Mironov, "Rényi differential privacy" (CSF 2017, arXiv:1702.07476), proposition 7.
    """
    with localcontext(EXACT):
        return tuple(ceiling(order / (2 * Decimal(sigma) ** 2)) for order in ORDERS)


@lru_cache(maxsize=256)
def subsampled_gaussian(sigma: str, q: str) -> Curve:
    """One step on a Poisson sample (each patient with probability `q`, 0 < q <= 1), noise `sigma` (> 0) times the clip.

    At an integer order alpha: log(A) / (alpha - 1), A the sum over k = 0..alpha of
    binomial(alpha, k) (1 - q)^(alpha - k) q^k exp((k^2 - k) / (2 sigma^2)).
    Source: Mironov, Talwar, Zhang, "Rényi differential privacy of the sampled Gaussian mechanism" (arXiv:1908.10530),
    section 3.3, the closed form for integer alpha; for add or remove of one patient.
    """
    if Decimal(q) == 1:
        return gaussian(sigma)
    with localcontext(EXACT):
        rate, twice = Decimal(q), 2 * Decimal(sigma) ** 2
        most = ORDERS[-1] + 1
        growth = [(Decimal(k * k - k) / twice).exp() for k in range(most)]
        inside, outside = powers(rate, most), powers(1 - rate, most)
        return tuple(ceiling(moment(order, growth, inside, outside).ln() / (order - 1)) for order in ORDERS)


def moment(order: int, growth: list[Decimal], inside: list[Decimal], outside: list[Decimal]) -> Decimal:
    """The sum A of the closed form; every term is positive, so nothing cancels."""
    total, binomial = Decimal(0), 1
    for k in range(order + 1):
        total += binomial * outside[order - k] * inside[k] * growth[k]
        binomial = binomial * (order - k) // (k + 1)
    return total


def powers(base: Decimal, count: int) -> list[Decimal]:
    """base^0 .. base^(count - 1)."""
    result = [Decimal(1)]
    while len(result) < count:
        result.append(result[-1] * base)
    return result


def ceiling(value: Decimal) -> int:
    """`value` in whole units, rounded up."""
    return int((value * UNIT).to_integral_value(rounding=ROUND_CEILING))


def plus(*curves: Curve) -> Curve:
    """The composition of releases: their curves add up."""
    return tuple(map(sum, zip(*curves, strict=True)))


def times(curve: Curve, count: int) -> Curve:
    return tuple(count * units for units in curve)


def minus(curve: Curve, other: Curve) -> Curve:
    """`curve` without `other`; raises ArithmeticError where that would be negative, since no spend may vanish."""
    rest = tuple(have - take for have, take in zip(curve, other, strict=True))
    if any(units < 0 for units in rest):
        raise ArithmeticError("more is taken from an account than it holds")
    return rest


def epsilon(curve: Curve, delta: str) -> Decimal:
    """The epsilon that `curve` guarantees at `delta` (0 < delta < 1), in millionths, rounded up; 0 for nothing.

    min over alpha of rdp + log(1 - 1/alpha) - log(delta alpha) / (alpha - 1).
    Source: Canonne, Kamath, Steinke, "The discrete Gaussian for differential privacy" (arXiv:2004.00010), proposition
    12.
    """
    if not any(curve):
        return Decimal(0)
    with localcontext(EXACT):
        best = min(Decimal(units) / UNIT + offset for units, offset in zip(curve, conversion(delta), strict=True))
        return max(best, Decimal(0)).quantize(PLACES, rounding=ROUND_CEILING)


@lru_cache(maxsize=64)
def conversion(delta: str) -> tuple[Decimal, ...]:
    """What is added to the curve at each order to read off epsilon."""
    with localcontext(EXACT):
        return tuple((1 - Decimal(1) / order).ln() - (Decimal(delta) * order).ln() / (order - 1) for order in ORDERS)


def written(curve: Curve) -> tuple[str, ...]:
    """As it stands in JSON: units as decimal strings, since they outgrow a JSON integer."""
    return tuple(str(units) for units in curve)


def read(units: Iterable[str]) -> Curve:
    return tuple(int(text) for text in units)
