"""The network that draws a region in CT volumes of 32 voxels a side: a small 3D U-Net with group normalisation.

Imports no torch: the hub plans studies and aggregates with this, and only hospitals build the network.
"""

from __future__ import annotations

from collections.abc import Iterator

from training.errors import ModelRefused
from training.models.description import Defaults, Description
from training.models.weights import Shapes

MODEL = "ct-unet"
FEATURES = "ct-32"
SIDE = 32
LABEL = (SIDE, SIDE, SIDE)
RECORD = (1, *LABEL)

GROUPS = 4  # of group normalisation: every width is a multiple


def shapes(hidden: int) -> Shapes:
    """The parameters of the network in its module's order (a test compares the two). `hidden`: the first width."""
    if not (hidden in range(GROUPS, 33) and hidden % GROUPS == 0):
        raise ModelRefused(
            "model.configuration", f"hidden is the first width of {MODEL}: a multiple of {GROUPS} from {GROUPS} to 32"
        )
    return dict(_shapes(hidden))


def widths(hidden: int) -> tuple[int, int, int]:
    """The features at full, half and a quarter of the resolution, as MONAI's UNet takes them."""
    return hidden, 2 * hidden, 4 * hidden


def _shapes(hidden: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    first, second, third = widths(hidden)
    yield from _unit("model.0", (first, 1), first)
    yield from _unit("model.1.submodule.0", (second, first), second)
    yield from _unit("model.1.submodule.1.submodule", (third, second), third)
    yield from _unit("model.1.submodule.2", (second + third, first), first)
    yield "model.2.conv.weight", (2 * first, 1, 3, 3, 3)
    yield "model.2.conv.bias", (1,)


def _unit(name: str, maps: tuple[int, int], out: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.conv.weight", (*maps, 3, 3, 3)
    yield f"{name}.conv.bias", (out,)
    yield f"{name}.adn.N.weight", (out,)
    yield f"{name}.adn.N.bias", (out,)


DEFAULTS = Defaults(  # chosen on made-up volumes: there is no public data here to choose on
    model=MODEL,
    features=FEATURES,
    hidden=4,  # 7,333 weights
    learning_rate="1",
    local_steps=4,
    rounds=15,
    q="0.2",
    clip="1",
    delta="0.0001",
    epsilon="5",
    metrics_sigma="2",
)
DESCRIPTION = Description(
    DEFAULTS,
    RECORD,
    shapes,
    engine="layerwise",
    rows=32,
    label=LABEL,
    right="the region that the network draws and the one drawn at the hospital overlap with a Dice coefficient above "
    "one half",
)
