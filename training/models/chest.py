"""The network for chest X-rays of 28 x 28 pixels: a small DenseNet, each record normalised by itself, one logit.

A study trains its last layer alone, unless the plan says otherwise. Noise grows with the number of weights that train:
at epsilon 1 it outweighs what hospitals of a thousand images can teach all of them. The layers before the last stay as
the plan's seed draws them: features that no record has touched.

Imports no torch: the hub plans studies and aggregates with this, and only hospitals build the network.
"""

from __future__ import annotations

from collections.abc import Iterator

from training.errors import ModelRefused
from training.models.description import Defaults, Description
from training.models.weights import Shapes

MODEL = "chest-densenet"
FEATURES = "chest-28"
RECORD = (1, 28, 28)

GROUPS = 1  # of group normalisation: more would leave less that differs between images after pooling
START = 64  # features after the first convolution
LAYERS = 4  # of the one dense block
BOTTLENECK = 2


def shapes(hidden: int) -> Shapes:
    """The parameters of the network in its module's order (a test compares the two). `hidden`: the growth rate."""
    if hidden not in range(1, 65):
        raise ModelRefused("model.configuration", f"hidden is the growth rate of {MODEL}: a whole number from 1 to 64")
    return dict(_shapes(hidden))


def _shapes(growth: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, narrow = START, BOTTLENECK * growth
    yield "features.conv0.weight", (width, 1, 7, 7)
    yield from _norm("features.norm0", width)
    for layer in range(1, LAYERS + 1):
        name = f"features.denseblock1.denselayer{layer}.layers"
        yield from _norm(f"{name}.norm1", width)
        yield f"{name}.conv1.weight", (narrow, width, 1, 1)
        yield from _norm(f"{name}.norm2", narrow)
        yield f"{name}.conv2.weight", (growth, narrow, 3, 3)
        width += growth
    yield from _norm("features.norm5", width)
    yield "class_layers.out.weight", (1, width)
    yield "class_layers.out.bias", (1,)


def _norm(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


DEFAULTS = Defaults(  # chosen on the validation images, judged on the test images (tests/bench/bench_chest.py)
    model=MODEL,
    features=FEATURES,
    hidden=16,
    learning_rate="8",
    local_steps=16,
    rounds=15,
    q="0.05",
    clip="1",
    delta="0.00001",
    epsilon="3",
    metrics_sigma="2",
    schedule="linear",
    frozen=("features",),  # 129 weights train: with all 3,069 of a smaller network the noise won at epsilon 1
)
DESCRIPTION = Description(DEFAULTS, RECORD, shapes, engine="layerwise", rows=256)
