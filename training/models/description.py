"""What is fixed about a network that a plan may name: what it eats, its parameters, how it is trained.

The plan pins it: by the network's name, and by the digest of the code in which it stands. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from training.models.weights import Shapes


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `configuration` part of a plan. `hidden`: the network's width, in its own words; decimals as strings.

    `schedule`, `averaging`: training.federation.schedule. `frozen`: beginnings of names of parameters that stay.
    `public_weights`: SHA-256 of the file that the study starts from (training.models.public), or none.
    """

    model: str
    hidden: int
    learning_rate: str
    local_steps: int
    features: str
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    averaging: str = "0"
    frozen: tuple[str, ...] = ()
    public_weights: str | None = None


@dataclass(frozen=True, slots=True)
class Defaults:
    """The public constants that a study of a network starts from: numbers as a plan writes them."""

    model: str
    features: str
    hidden: int
    learning_rate: str
    local_steps: int
    rounds: int
    q: str
    clip: str
    delta: str
    epsilon: str
    metrics_sigma: str
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    frozen: tuple[str, ...] = ()

    def configuration(self) -> dict[str, str | int | list[str]]:
        """What a plan's `configuration` holds."""
        return {
            "model": self.model,
            "hidden": self.hidden,
            "learning_rate": self.learning_rate,
            "local_steps": self.local_steps,
            "features": self.features,
            "schedule": self.schedule,
            "frozen": list(self.frozen),
        }


@dataclass(frozen=True, slots=True)
class Description:
    """`defaults`: with its name and the transformation that its records went through. `record`: the shape of one.

    `shapes`: hidden -> the parameters, in the module's order. `engine`: one of training.privacy.engines.ENGINES, the
    fastest where it was measured (`covenant model engines`). `rows`: how many records it takes at a time. `label`: the
    shape of one record's label, whole numbers below `classes`. `right`: what it means that a patient is predicted
    right, in the words of a model card; with several records, where most of them are.
    """

    defaults: Defaults
    record: tuple[int, ...]
    shapes: Callable[[int], Shapes]
    engine: str
    rows: int
    label: tuple[int, ...] = ()
    classes: int = 2
    right: str = "the class that the network finds more likely is the true one"

    @property
    def model(self) -> str:
        return self.defaults.model

    @property
    def features(self) -> str:
        return self.defaults.features
