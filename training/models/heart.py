"""The tabular network for heart disease: its parameters, and the public constants that a study of it starts from.

Imports no torch: the hub plans studies and aggregates with this, and only hospitals build the network.
"""

from __future__ import annotations

import math
from decimal import Decimal

from training.errors import ModelRefused
from training.models.description import Defaults, Description
from training.models.weights import Shapes, linear

MODEL = "heart-fcn"
FEATURES = "fed-heart-1"
INPUTS = 13
TRAINING_PERCENT = 66  # FLamby's share of training patients


DEFAULTS = Defaults(  # chosen on splits 100 to 159 of public data, judged on others (tests/bench/bench_accuracy.py)
    model=MODEL,
    features=FEATURES,
    hidden=0,  # every weight takes the same noise: 14 weights beat a hidden layer's 61 at epsilon 5
    learning_rate="1",
    local_steps=5,
    rounds=12,
    q="0.3",
    clip="1",
    delta="0.0001",
    epsilon="5",
    metrics_sigma="2",
)


def shapes(hidden: int) -> Shapes:
    """The parameters of the network in its module's order (a test compares the two)."""
    return linear(INPUTS, hidden)


DESCRIPTION = Description(DEFAULTS, (INPUTS,), shapes, engine="torch.func", rows=4096)


def nominal_patients(bucket: str) -> int:
    """How many patients a data set of size `bucket` (like "200-499") trains with, by convention.

    The bounds' geometric mean, rounded down, and 66 % of it: a public constant, so that neither the weight of a
    hospital nor its learning rate tells how many patients it has today.

    >>> [nominal_patients(bucket) for bucket in ("20-49", "100-199", "200-499")]
    [20, 93, 207]
    """
    low, _, high = bucket.partition("-")
    if not (low.isdigit() and high.isdigit() and 0 < int(low) <= int(high)):
        raise ModelRefused("model.bucket", "a size bucket is written like 200-499")
    return max(1, math.isqrt(int(low) * int(high)) * TRAINING_PERCENT // 100)


def expected_batch(bucket: str, q: str) -> str:
    """The public constant that a step's noised sum is divided by: q times the bucket's nominal patients.

    >>> expected_batch("200-499", "0.2")
    '41.4'
    """
    return format((Decimal(q) * nominal_patients(bucket)).normalize(), "f")


def weight(bucket: str) -> int:
    """The public aggregation weight of a data set: ten times the square root of the bucket's nominal patients.

    Between one vote a patient, which drowns a small hospital whose patients differ, and one vote a hospital, which lets
    its noise (the same on fewer patients) into every model.

    >>> [weight(bucket) for bucket in ("20-49", "100-199", "200-499")]
    [44, 96, 143]
    """
    return math.isqrt(100 * nominal_patients(bucket))
