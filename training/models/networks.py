"""Networks from MONAI, as the engine takes them: a module, a loss of one record, a prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus

from training.errors import ModelRefused
from training.models import chest, coronary, failure, heart, volume
from training.models.absent import BESIDE_NETWORKS, absent
from training.models.weights import Weights

with absent(BESIDE_NETWORKS):
    from monai.networks.nets import DenseNet, FullyConnectedNet, UNet

torch.set_num_threads(1)  # one process a hospital: two threads on busy cores were 8 times slower

BATCH = 64  # records that are judged at a time


@dataclass(frozen=True, slots=True)
class Network:
    """`loss`: (outputs (n, ...), labels (n, ...)) -> the mean of the records' losses.

    `judge`: (outputs (n, ...), labels (n, ...)) -> float (n,), 1 where a record is predicted right (what that means,
    the description says), 0 where not, NaN where the record cannot tell.
    """

    module: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    judge: Callable[[Tensor, Tensor], Tensor]

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

    def judged(self, features: NDArray[np.float32], labels: NDArray[np.integer]) -> NDArray[np.float64]:
        """What `judge` says of records: float64 (n,). `features`: float32 (n, ...); `labels`: (n, ...)."""
        found = [np.empty(0)]
        with torch.inference_mode():
            for start in range(0, len(features), BATCH):
                rows, truth = features[start : start + BATCH], labels[start : start + BATCH].astype(np.int64)
                found.append(self.judge(self.module(torch.from_numpy(rows)), torch.from_numpy(truth)).double().numpy())
        return np.concatenate(found)


class Hazards(nn.Module):
    """Records (n, d) -> the logit of the hazard in each interval (n, k): a base that all share, and a record's risk."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.base = nn.Parameter(torch.zeros(len(failure.CUTS)))
        self.risk = FullyConnectedNet(failure.INPUTS, 1, [hidden] if hidden else [], act="tanh", adn_ordering="A")

    def forward(self, records: Tensor) -> Tensor:
        logits: Tensor = self.risk(records) + self.base
        return logits


def heart_network(hidden: int) -> Network:
    """13 features -> `hidden` tanh units (none: logistic regression) -> one logit."""
    return _linear_network(heart.INPUTS, hidden)


def coronary_network(hidden: int) -> Network:
    """The same for the 10 features that OMOP tables give."""
    return _linear_network(coronary.INPUTS, hidden)


def _linear_network(inputs: int, hidden: int) -> Network:
    """MONAI's FullyConnectedNet (training.models.weights.linear)."""
    module = FullyConnectedNet(inputs, 1, [hidden] if hidden else [], act="tanh", adn_ordering="A")
    return Network(module.eval(), _binary_loss, _binary_judge)


def chest_network(hidden: int) -> Network:
    """MONAI's DenseNet for grey images of 28 x 28 (growth rate `hidden`), group normalisation throughout: one logit."""
    module = DenseNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=1,
        init_features=chest.START,
        growth_rate=hidden,
        block_config=(chest.LAYERS,),
        bn_size=chest.BOTTLENECK,
        norm=("group", {"num_groups": chest.GROUPS}),
        act=("relu", {"inplace": False}),
    )
    return Network(module.eval(), _binary_loss, _binary_judge)


def _binary_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(outputs[:, 0], labels.to(outputs.dtype))


def _binary_judge(outputs: Tensor, labels: Tensor) -> Tensor:
    return ((outputs[:, 0] > 0) == labels).double()


def failure_network(hidden: int) -> Network:
    """Discrete-time survival: a hazard for each interval. `hidden`: tanh units of the risk, 0 for a linear one."""
    return Network(Hazards(hidden).eval(), _hazard_loss, _hazard_judge)


def _hazard_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """The negative log-likelihood of what was seen of each patient (Kvamme and Borgan 2021, equation 3.3).

    A sum over the intervals of that patient alone: lived through, or the one in which the event came.
    """
    whole, event = labels // 2, labels % 2
    places = torch.arange(outputs.shape[1])
    lived = places < whole[:, None]
    died = (places == whole[:, None]) & (event[:, None] == 1)
    return (softplus(outputs) * lived + softplus(-outputs) * died).sum(1).mean()


def _hazard_judge(outputs: Tensor, labels: Tensor) -> Tensor:
    """Who lives through the horizon: more likely than not, or not; NaN for whoever was not observed for so long."""
    lives = logsigmoid(-outputs[:, : failure.HORIZON]).sum(1) > np.log(0.5)
    lived, died = labels // 2 >= failure.HORIZON, (labels // 2 < failure.HORIZON) & (labels % 2 == 1)
    return torch.where(lived | died, (lives == lived).double(), torch.nan)


def volume_network(hidden: int) -> Network:
    """MONAI's 3D UNet for volumes of 32 voxels a side (first width `hidden`), group normalisation throughout."""
    module = UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=1,
        channels=volume.widths(hidden),
        strides=(2, 2),
        norm=("group", {"num_groups": volume.GROUPS}),
        act=("relu", {"inplace": False}),
    )
    return Network(module.eval(), _dice_loss, _dice_judge)


def _dice_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """The mean over volumes of 1 - Dice, each from its own voxels (Milletari et al. 2016, arXiv:1606.04797, section 3).

    MONAI's DiceLoss with `batch=True` would add voxels of several volumes up before it divides.
    """
    drawn, truth = torch.sigmoid(outputs[:, 0]), labels.to(outputs.dtype)
    return (1 - _dice(drawn, truth)).mean()


def _dice_judge(outputs: Tensor, labels: Tensor) -> Tensor:
    return (_dice((outputs[:, 0] > 0).to(outputs.dtype), labels.to(outputs.dtype)) > 0.5).double()


def _dice(drawn: Tensor, truth: Tensor) -> Tensor:
    """The Dice coefficient of each volume (n,), smoothed by a voxel: 1 where both are empty. Both: (n, x, y, z)."""
    drawn, truth = drawn.flatten(1), truth.flatten(1)
    overlap: Tensor = (2 * (drawn * truth).sum(1) + 1) / (drawn.sum(1) + truth.sum(1) + 1)
    return overlap


class Frozen(nn.Module):
    """`module` whose parameters with such names have no gradient: each patient's norm and clipping look past them.

    The parameters stay in their order. Opacus' engines do not see through it: they refuse (`model.no-gradient`).
    """

    def __init__(self, module: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.module = module
        self._names = names

    def forward(self, inputs: Tensor) -> Tensor:
        held = {
            name: parameter.detach() if name.startswith(self._names) else parameter
            for name, parameter in self.module.named_parameters()
        }
        outputs: Tensor = functional_call(self.module, held, (inputs,))
        return outputs


def frozen(network: Network, names: tuple[str, ...]) -> Network:
    """`network`, of which the parameters whose names begin with one of `names` stay as they are."""
    return Network(Frozen(network.module, names).eval(), network.loss, network.judge)


BUILDERS: Mapping[str, Callable[[int], Network]] = {
    heart.MODEL: heart_network,
    coronary.MODEL: coronary_network,
    chest.MODEL: chest_network,
    failure.MODEL: failure_network,
    volume.MODEL: volume_network,
}
