"""Networks by the name a plan gives them. Asking for parameters or initial weights imports no torch; building does."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from training.errors import ModelRefused
from training.models import chest, coronary, failure, heart, volume, weights
from training.models.description import Configuration, Description

if TYPE_CHECKING:
    from training.models.networks import Network


DIGEST = re.compile(r"[0-9a-f]{64}")
DESCRIPTIONS = {
    one.model: one
    for one in (
        heart.DESCRIPTION,
        coronary.DESCRIPTION,
        chest.DESCRIPTION,
        failure.DESCRIPTION,
        volume.DESCRIPTION,
    )
}


def configuration(value: object) -> Configuration:
    """The checked form of a plan's `configuration` (a mapping, or a struct with the same names).

    Raises ModelRefused `model.configuration`, `model.unknown`, `model.features`.
    """
    try:
        checked = msgspec.convert(value, Configuration, from_attributes=True)
    except msgspec.ValidationError as error:
        raise ModelRefused("model.configuration", f"the plan's configuration does not fit: {error}") from None
    if (known := DESCRIPTIONS.get(checked.model)) is None:
        raise ModelRefused("model.unknown", f"this hospital has no network of that name: use {', '.join(DESCRIPTIONS)}")
    if checked.features != known.features:
        raise ModelRefused("model.features", f"the network {known.model} takes the features {known.features}")
    if checked.local_steps < 1:
        raise ModelRefused("model.configuration", "local_steps must be at least 1")
    if checked.public_weights is not None and not DIGEST.fullmatch(checked.public_weights):
        message = "public_weights must be the SHA-256 of a file, 64 hexadecimal digits in lower case, or null"
        raise ModelRefused("model.configuration", message)
    learning_rate(checked)
    averaging(checked)
    if not trained(checked).any():
        raise ModelRefused("model.frozen", "every parameter is frozen: leave one that trains")
    return checked


def learning_rate(checked: Configuration) -> float:
    """Above 0 and at most 1000. Raises ModelRefused `model.configuration`."""
    try:
        rate = float(checked.learning_rate)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1000:
        raise ModelRefused("model.configuration", "learning_rate must be a decimal above 0 and at most 1000")
    return rate


def averaging(checked: Configuration) -> float:
    """The decay of the models' moving average, at least 0 and below 1. Raises ModelRefused `model.configuration`."""
    try:
        decay = float(checked.averaging)
    except ValueError:
        decay = 1.0
    if not 0 <= decay < 1:
        raise ModelRefused("model.configuration", "averaging must be a decimal of at least 0 and below 1")
    return decay


def trained(checked: Configuration) -> NDArray[np.bool_]:
    """Which of the weights (P,) train. Raises ModelRefused `model.frozen` where nothing has a name that is frozen."""
    shapes = DESCRIPTIONS[checked.model].shapes(checked.hidden)
    if unknown := [one for one in checked.frozen if not any(name.startswith(one) for name in shapes)]:
        known = ", ".join(shapes)
        raise ModelRefused("model.frozen", f"no parameter's name begins with {unknown[0]}: this network has {known}")
    parts = [np.full(math.prod(shape), not name.startswith(checked.frozen)) for name, shape in shapes.items()]
    return np.concatenate(parts)


def description(value: object) -> Description:
    """What is fixed about the network of this configuration. Errors as `configuration`."""
    return DESCRIPTIONS[configuration(value).model]


def of_transformations(names: Iterable[str]) -> Description:
    """The network for data sets that went through these transformations (`name@digest`, as in the catalogue).

    Raises ModelRefused `model.data`.
    """
    features = {name.partition("@")[0] for name in names}
    found = [one for one in DESCRIPTIONS.values() if {one.features} == features]
    if not found:
        known = ", ".join(one.features for one in DESCRIPTIONS.values())
        raise ModelRefused("model.data", f"no network takes these data sets together: choose those of one of {known}")
    return found[0]


def shapes(value: object) -> weights.Shapes:
    """The parameters of the network of this configuration, in its order. Errors as `configuration`."""
    checked = configuration(value)
    return DESCRIPTIONS[checked.model].shapes(checked.hidden)


def parameters(value: object) -> int:
    """How many weights the network of this configuration has. Errors as `configuration`."""
    return weights.count(shapes(value))


def initial_weights(value: object, seed: int) -> weights.Weights:
    """The weights a study starts from: float32 (P,), the same for the same configuration and seed everywhere."""
    return weights.initial(shapes(value), seed)


def build(value: object) -> Network:
    """The network of this configuration, its loss and its prediction. Errors as `configuration`. Imports torch."""
    from training.models.networks import BUILDERS, frozen

    checked = configuration(value)
    network = BUILDERS[checked.model](checked.hidden)
    return frozen(network, checked.frozen) if checked.frozen else network
