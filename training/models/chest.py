"""The network for chest X-rays of 28 x 28 pixels: a small DenseNet with group normalisation, one logit.

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

GROUPS = 4  # of group normalisation: every width below is a multiple
START = 16  # features after the first convolution
BLOCKS = (2, 2)  # dense layers a block
BOTTLENECK = 2


def shapes(hidden: int) -> Shapes:
    """The parameters of the network in its module's order (a test compares the two). `hidden`: the growth rate."""
    if not (hidden in range(GROUPS, 65) and hidden % GROUPS == 0):
        raise ModelRefused(
            "model.configuration", f"hidden is the growth rate of {MODEL}: a multiple of {GROUPS} from {GROUPS} to 64"
        )
    return dict(_shapes(hidden))


def _shapes(growth: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    width = START
    yield "features.conv0.weight", (width, 1, 7, 7)
    yield from _norm("features.norm0", width)
    for block, layers in enumerate(BLOCKS, 1):
        for layer in range(1, layers + 1):
            name, narrow = f"features.denseblock{block}.denselayer{layer}.layers", BOTTLENECK * growth
            yield from _norm(f"{name}.norm1", width)
            yield f"{name}.conv1.weight", (narrow, width, 1, 1)
            yield from _norm(f"{name}.norm2", narrow)
            yield f"{name}.conv2.weight", (growth, narrow, 3, 3)
            width += growth
        if block < len(BLOCKS):
            yield from _norm(f"features.transition{block}.norm", width)
            yield f"features.transition{block}.conv.weight", (width // 2, width, 1, 1)
            width //= 2
    yield from _norm("features.norm5", width)
    yield "class_layers.out.weight", (1, width)
    yield "class_layers.out.bias", (1,)


def _norm(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


DEFAULTS = Defaults(  # chosen on the validation images, judged on the test images (tests/bench/bench_chest.py)
    model=MODEL,
    features=FEATURES,
    hidden=4,  # 3,069 weights: noise grows with their number, and 12 (14,885) did worse on the validation images
    learning_rate="0.5",
    local_steps=16,
    rounds=15,
    q="0.05",
    clip="1",
    delta="0.00001",
    epsilon="3",
    metrics_sigma="2",
    schedule="linear",
)
DESCRIPTION = Description(DEFAULTS, RECORD, shapes, engine="layerwise", rows=256)
