"""The weighted mean of the hospitals' updates, the same bits wherever it is computed.

w' = w + sum(weight_i * delta_i) / sum(weight_i), in float64, hospital by hospital in the order of their MSP ids,
rounded to float32 once, at the end. Elementwise IEEE 754 sums and products in a fixed order have one answer, so each
hospital can recompute what the hub announces (McMahan et al. 2017, arXiv:1602.05629, algorithm 1, with public weights).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from training.errors import TrainingError
from training.federation.vectors import Vector, digest


def aggregate(base: Vector, deltas: Mapping[str, Vector], weights: Mapping[str, int]) -> Vector:
    """The model after a round.

    `base`: float32 (P,), the weights that entered the round. `deltas`: MSP id -> float32 (P,), the noised update of
    each site in the fixed set. `weights`: MSP id -> the plan's public weight, >= 1; more entries than deltas are fine.
    Raises TrainingError `aggregate.empty`, `aggregate.weight`, `aggregate.shape`, `aggregate.not-finite`.
    """
    if not deltas:
        raise TrainingError("aggregate.empty", "a round without a single update has no model")
    total = np.zeros(base.shape, dtype=np.float64)
    mass = 0
    for site in sorted(deltas):
        delta, weight = deltas[site], weights.get(site, 0)
        if weight < 1:
            raise TrainingError("aggregate.weight", f"the plan gives {site} no weight", site=site)
        if delta.shape != base.shape:
            raise TrainingError("aggregate.shape", f"the update of {site} has another shape than the model", site=site)
        if not np.isfinite(delta).all():
            raise TrainingError("aggregate.not-finite", f"the update of {site} is not finite", site=site)
        total += np.float64(weight) * delta.astype(np.float64)
        mass += weight
    with np.errstate(over="ignore"):
        model: Vector = (base.astype(np.float64) + total / np.float64(mass)).astype(np.float32)
    if not np.isfinite(model).all():
        raise TrainingError("aggregate.not-finite", "the aggregate left the range of float32")
    return model


def check(model: Vector, announced: str) -> Vector:
    """`model`, if its digest is the one `announced`; else TrainingError `aggregate.mismatch`."""
    if digest(model) != announced:
        raise TrainingError("aggregate.mismatch", "the announced model is not what the released updates give")
    return model
