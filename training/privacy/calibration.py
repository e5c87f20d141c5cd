"""The least noise that keeps a history within epsilon, as the short decimal that goes into a plan.

The answer is rounded up to a thousandth, and a millionth of epsilon is kept back, so that the ledger's own accounting
in decimals, which rounds up everywhere, accepts it too.

    >>> sigma_for(5, 1e-4, q=0.2, steps=60)
    '1.608'
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from training.errors import PrivacyRefused
from training.privacy.accountants import rdp_epsilon
from training.privacy.events import Event, PoissonSampledGaussian, require_delta, require_rate, require_steps
from training.privacy.mechanism import number

STEP = 1000  # sigma is a whole number of thousandths
SMALLEST, LARGEST = STEP // 10, 10_000 * STEP  # the ledger accepts no sigma below 0.1
KEPT_BACK = 5e-6  # the contract rounds epsilon up to 1e-6 and each order's RDP up to 1e-18


def sigma_for(
    epsilon: float | str, delta: float | str, q: float | str, steps: int, extra_events: Sequence[Event] = ()
) -> str:
    """The smallest sigma (in thousandths) at which `steps` Poisson-sampled steps and `extra_events` stay in `epsilon`.

    `epsilon` > 0, `delta` in (0, 1), `q` in (0, 1], `steps` >= 1 over the whole study, spare attempts included.
    Raises PrivacyRefused `privacy.*` for values out of range and `calibration.unreachable` where no sigma up to 10,000
    suffices: `extra_events` alone cost more, or epsilon is below what orders up to 256 can show (about 0.03).
    """
    target, at, rate = number(epsilon, "epsilon"), number(delta, "delta"), number(q, "q")
    require_delta(at)
    require_rate(rate)
    require_steps(steps)
    if target <= 0:
        raise PrivacyRefused("privacy.epsilon", "epsilon must be a number above 0")

    def fits(thousandths: int) -> bool:
        try:
            event = PoissonSampledGaussian(thousandths / STEP, rate, steps)
            return rdp_epsilon([*extra_events, event], at) <= target - KEPT_BACK
        except PrivacyRefused:  # too small a sigma to be accounted at all
            return False

    if not fits(LARGEST):
        raise PrivacyRefused(
            "calibration.unreachable",
            "no noise keeps the study within epsilon: raise epsilon or delta, or the noise on its metrics",
        )
    low, high = SMALLEST - 1, LARGEST  # the answer is above low, and high fits; epsilon falls as sigma grows
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return format((Decimal(high) / STEP).normalize(), "f")
