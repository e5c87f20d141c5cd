"""The tabular network for coronary disease from OMOP tables: its parameters and public constants.

Imports no torch: the hub plans studies and aggregates with this, and only hospitals build the network.
"""

from __future__ import annotations

from training.models.description import Defaults, Description
from training.models.weights import Shapes, linear

MODEL = "coronary-fcn"
FEATURES = "omop-coronary-1"
INPUTS = 10

DEFAULTS = Defaults(  # heart-fcn's, which were tuned on public data; not tuned on any hospital's OMOP tables
    model=MODEL,
    features=FEATURES,
    hidden=0,
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


DESCRIPTION = Description(
    DEFAULTS,
    (INPUTS,),
    shapes,
    engine="torch.func",
    rows=4096,
    right="it was predicted whether coronary disease was recorded for the patient in the two years looked at",
)
