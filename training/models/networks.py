"""Networks from MONAI, as the engine takes them: a module, a loss of one record, a prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from monai.networks.nets import DenseNet, FullyConnectedNet
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from training.errors import ModelRefused
from training.models import chest, heart
from training.models.weights import Weights

torch.set_num_threads(1)  # one process a hospital: two threads on busy cores were 8 times slower


@dataclass(frozen=True, slots=True)
class Network:
    """`loss`: (outputs (n, ...), labels (n,)) -> mean loss; `predict`: outputs (n, ...) -> classes int64 (n,)."""

    module: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    predict: Callable[[Tensor], Tensor]

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.module.parameters())

    def take(self, weights: Weights) -> None:
        """Put flat weights (P,) into the module. Raises ModelRefused `weights.shape`."""
        if weights.shape != (self.parameters,) or weights.dtype != np.float32:
            raise ModelRefused("weights.shape", f"this network takes {self.parameters} float32 weights")
        torch.nn.utils.vector_to_parameters(torch.from_numpy(weights.copy()), self.module.parameters())

    def give(self) -> Weights:
        """The module's weights, flat, in its parameters' order: float32 (P,)."""
        with torch.no_grad():
            flat: Weights = torch.nn.utils.parameters_to_vector(self.module.parameters()).numpy().copy()
        return flat

    def classes(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Predicted classes (n,) of `features` float32 (n, ...)."""
        with torch.inference_mode():
            predicted: NDArray[np.int64] = self.predict(self.module(torch.from_numpy(features))).numpy()
        return predicted


def heart_network(hidden: int) -> Network:
    """MONAI's FullyConnectedNet: 13 features -> `hidden` tanh units (none: logistic regression) -> one logit."""
    layers = [hidden] if hidden else []
    module = FullyConnectedNet(heart.INPUTS, 1, layers, act="tanh", adn_ordering="A")
    return Network(module.eval(), _binary_loss, _binary_prediction)


def chest_network(hidden: int) -> Network:
    """MONAI's DenseNet for grey images of 28 x 28 (growth rate `hidden`), group normalisation throughout: one logit."""
    module = DenseNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=1,
        init_features=chest.START,
        growth_rate=hidden,
        block_config=chest.BLOCKS,
        bn_size=chest.BOTTLENECK,
        norm=("group", {"num_groups": chest.GROUPS}),
        act=("relu", {"inplace": False}),
    )
    return Network(module.eval(), _binary_loss, _binary_prediction)


def _binary_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(outputs[:, 0], labels.to(outputs.dtype))


def _binary_prediction(outputs: Tensor) -> Tensor:
    return (outputs[:, 0] > 0).to(torch.int64)


BUILDERS: Mapping[str, Callable[[int], Network]] = {heart.MODEL: heart_network, chest.MODEL: chest_network}
