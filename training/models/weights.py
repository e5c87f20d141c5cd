"""How many weights a network has, and their initial values from a seed. Imports no torch: the hub plans with it.

Bytes and digests of weights are in training.federation.vectors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent import canonical
from training.errors import ModelRefused
from training.privacy.noise import expand

Weights = NDArray[np.float32]
Shapes = Mapping[str, tuple[int, ...]]
"""Parameter name -> shape, in the module's own order."""


def count(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def flat(tensors: Mapping[str, NDArray[Any]], shapes: Shapes) -> Weights | None:
    """Named tensors as one vector, float32 (P,); None where names, shapes or types are not exactly those."""
    found = {name: (value.shape, value.dtype) for name, value in tensors.items()}
    if found != {name: (shape, np.dtype(np.float32)) for name, shape in shapes.items()}:
        return None
    return np.concatenate([tensors[name].ravel() for name in shapes])


def linear(inputs: int, hidden: int) -> Shapes:
    """The parameters of MONAI's FullyConnectedNet from `inputs` numbers over `hidden` units (0: none) to one.

    Raises ModelRefused `model.configuration`.
    """
    if not 0 <= hidden <= 1024:
        raise ModelRefused("model.configuration", "hidden must be a whole number from 0 to 1024")
    layers = {"hidden_0.0.weight": (hidden, inputs), "hidden_0.0.bias": (hidden,)} if hidden else {}
    return {**layers, "output.weight": (1, hidden or inputs), "output.bias": (1,)}


def initial(shapes: Shapes, seed: int) -> Weights:
    """Weights from no global generator: the same `seed` (0..2**63 - 1), the same weights anywhere.

    Uniform within 1/sqrt(inputs) of zero, as torch's linear and convolution layers do; a bias takes its layer's inputs.
    A normalisation, the layer whose weight has one dimension, starts at scale 1 and shift 0; a parameter of no layer
    at 0.
    Raises ModelRefused `model.seed`.
    """
    if not 0 <= seed < 2**63:
        raise ModelRefused("model.seed", "the seed of initial weights must be a whole number from 0 to 2**63 - 1")
    uniforms = expand(canonical.digest("covenant.initial-weights.v1", seed.to_bytes(8, "big")), count(shapes))
    centre = np.concatenate([np.full(math.prod(shape), _centre(shapes, name)) for name, shape in shapes.items()])
    bounds = np.concatenate([np.full(math.prod(shape), _bound(shapes, name)) for name, shape in shapes.items()])
    weights: Weights = (centre + (2.0 * uniforms - 1.0) * bounds).astype(np.float32)
    return weights


def _centre(shapes: Shapes, name: str) -> float:
    return float(len(shapes[name]) == 1 and name.endswith(".weight"))


def _bound(shapes: Shapes, name: str) -> float:
    _, *inputs = shapes.get(name.rpartition(".")[0] + ".weight", (1,))
    return 1.0 / math.sqrt(math.prod(inputs)) if inputs else 0.0
