"""The network for survival after heart failure: one risk for each patient, one base hazard for each interval.

Time is cut into fixed intervals, and the network says how likely an event is in each for whoever came so far. With no
hidden units it is Cox's own model for discrete time (Cox 1972, section 6): logit h(k | x) = base(k) + b x.

Imports no torch: the hub plans studies and aggregates with this, and only hospitals build the network.
"""

from __future__ import annotations

from bisect import bisect_right

from training.errors import ModelRefused
from training.models.description import Defaults, Description
from training.models.weights import Shapes

MODEL = "failure-hazard"
FEATURES = "heart-failure-1"
INPUTS = 11
CUTS = (30, 60, 90, 120, 180, 240)  # days: the ends of the intervals
HORIZON = 4  # intervals: whether a patient lived through the first 120 days is what predictions are judged by


def label(time: float, event: bool) -> int:
    """Twice the number of whole intervals that were lived through, and 1 more for an event in the next one.

    `time`: days until the event or the end of observation. After the last interval nothing is learned of events.

    >>> label(45, True), label(45, False), label(120, True), label(300, True)
    (3, 2, 9, 12)
    """
    whole = bisect_right(CUTS, time)
    return 2 * whole + (event and whole < len(CUTS))


def shapes(hidden: int) -> Shapes:
    """The parameters of the network in its module's order (a test compares the two)."""
    if not 0 <= hidden <= 1024:
        raise ModelRefused("model.configuration", "hidden must be a whole number from 0 to 1024")
    layers = {"risk.hidden_0.0.weight": (hidden, INPUTS), "risk.hidden_0.0.bias": (hidden,)} if hidden else {}
    return {
        "base": (len(CUTS),),
        **layers,
        "risk.output.weight": (1, hidden or INPUTS),
        "risk.output.bias": (1,),
    }


DEFAULTS = Defaults(  # chosen on splits 0 to 7 of public data, judged on others (tests/bench/bench_survival.py)
    model=MODEL,
    features=FEATURES,
    hidden=0,  # 18 weights
    learning_rate="1",
    local_steps=5,
    rounds=12,
    q="0.3",
    clip="1",
    delta="0.0001",
    epsilon="5",
    metrics_sigma="2",
)
DESCRIPTION = Description(
    DEFAULTS,
    (INPUTS,),
    shapes,
    engine="torch.func",
    rows=4096,
    classes=2 * len(CUTS) + 1,
    right=f"it was predicted whether the patient lives through the first {CUTS[HORIZON - 1]} days; patients who were "
    "not observed for so long are in neither count",
)
