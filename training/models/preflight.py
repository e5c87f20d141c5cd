"""A dry run of one batch before a network may train: what would break privacy or crash in the middle of a round.

Checkers of layer types pass networks that then fail (Opacus' ModuleValidator passes several of MONAI's), so this runs
the engine itself on made-up records and looks at what comes back.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.errors import ModelRefused
from training.models.networks import Network
from training.privacy.engine import PatientEngine

TOLERANCE = 1e-4


def check(network: Network, features: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """Return quietly if `network` can train with DP on records like these (made up, at least 4, not all alike).

    Raises ModelRefused `model.frozen` (a parameter does not train), `model.buffers` (running statistics of records),
    `model.no-gradient`, `model.not-finite`, `model.mixes-records` (one record's gradient depends on others),
    `model.unbounded` (the clipped sum is longer than its bound).
    """
    _check_layers(network.module)
    weights = torch.from_numpy(network.give())
    owners = np.arange(len(features), dtype=np.intp)
    open_engine = PatientEngine(network.module, network.loss, clip=1e30)
    together = open_engine.clipped_sum(weights, features, labels, owners)
    if not torch.isfinite(together).all() or not together.any():
        raise ModelRefused("model.not-finite", "the gradients of made-up records are not finite, or all are zero")
    # The plain gradient of the summed loss: equal to the sum of single gradients only if records do not mix.
    network.module.zero_grad()
    try:
        mean = network.loss(network.module(torch.from_numpy(features)), torch.from_numpy(labels))
        mean.backward()  # type: ignore[no-untyped-call]
    except (RuntimeError, TypeError) as error:
        raise ModelRefused("model.no-gradient", "the network fails on a batch", cause=str(error)) from error
    plain = torch.cat([_gradient(parameter) for parameter in network.module.parameters()]) * len(features)
    network.module.zero_grad()
    if (plain - together).norm() > TOLERANCE * (1 + together.norm()):
        raise ModelRefused("model.mixes-records", "a layer mixes records of a batch: use group normalisation instead")
    bounded = PatientEngine(network.module, network.loss, clip=0.01).clipped_sum(weights, features, labels, owners)
    if bounded.norm() > 0.01 * len(features) * (1 + TOLERANCE):
        raise ModelRefused("model.unbounded", "the clipped sum is longer than clip times patients: do not train this")


def _check_layers(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            raise ModelRefused("model.frozen", "every parameter must train: remove frozen ones", parameter=name)
        if parameter.dtype != torch.float32:
            raise ModelRefused("model.dtype", "every parameter must be float32", parameter=name)
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) or getattr(layer, "track_running_stats", False):
            raise ModelRefused("model.buffers", "a layer keeps statistics of records: use group normalisation instead")


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    return torch.zeros(parameter.numel()) if parameter.grad is None else parameter.grad.flatten()
