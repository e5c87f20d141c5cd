"""Poisson sampling of patients: each stands in a step's sample with probability q, independently, and in secret."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.privacy.events import require_rate
from training.privacy.noise import Keystream


def poisson_sample(patients: int, q: float, stream: Keystream) -> NDArray[np.intp]:
    """The places (ascending, may be none) of the sampled ones among `patients` (>= 0); `q` in (0, 1].

    Uniforms are 53-bit, so the rate is within 2**-53 of `q`. Raises PrivacyRefused `privacy.q`.
    """
    require_rate(q)
    return np.flatnonzero(stream.uniforms(patients) <= q)
