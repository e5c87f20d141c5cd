"""What a plan lets vary from round to round, all of it public before the first: the learning rate, and the averaging of
the models that were released.

Both are post-processing or public constants: neither looks at a record, so neither costs privacy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from training.federation.studies import Plan, Study
from training.federation.vectors import Vector
from training.models import registry


def plan_of_round(lineage: Sequence[Study], number: int) -> Plan:
    """The plan of the first of `lineage` (a study, then those that it restarts) with the learning rate of a round.

    `number`: counted from 1. A restart goes on where the rounds that it kept ended. Raises ModelRefused `model.*`.
    """
    plan = lineage[0].plan
    checked = registry.configuration(plan.configuration)
    if checked.schedule == "constant":
        return plan
    kept = sum(one.plan.restart.round - 1 for one in lineage if one.plan.restart is not None)
    rate = registry.learning_rate(checked) * share(checked.schedule, kept + number, kept + plan.rounds)
    configuration = {**plan.configuration, "learning_rate": repr(rate), "schedule": "constant"}
    return msgspec.structs.replace(plan, configuration=configuration)


def share(schedule: str, number: int, rounds: int) -> float:
    """The share of the learning rate that round `number` of `rounds` trains with: 1 in the first, above 0 in the last.

    >>> [share("linear", number, 4) for number in (1, 2, 3, 4)]
    [1.0, 0.75, 0.5, 0.25]
    >>> [round(share("cosine", number, 4), 3) for number in (1, 2, 3, 4)]
    [1.0, 0.854, 0.5, 0.146]
    """
    done = (number - 1) / rounds
    match schedule:
        case "linear":
            return 1 - done
        case "cosine":  # Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5, without restarts
            return (1 + math.cos(math.pi * done)) / 2
        case _:
            return 1.0


def averaged(models: Sequence[Vector], decay: float) -> Vector:
    """The exponential moving average of `models`, float32 (P,) each, oldest first; `decay` in [0, 1).

    In float64, one after the other, rounded once at the end: the same bits wherever it is computed.
    """
    average = models[0].astype(np.float64)
    for model in models[1:]:
        average = np.float64(decay) * average + np.float64(1 - decay) * model.astype(np.float64)
    rounded: Vector = average.astype(np.float32)
    return rounded
