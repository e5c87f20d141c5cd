"""A dry run of one batch before a network may train: what would break privacy or crash in the middle of a round.

Checkers of layer types pass networks that then fail (Opacus' ModuleValidator passes several of MONAI's), so this runs
the engine itself on made-up records and looks at what comes back. Each refusal says what to do; `mend` does it.

It runs in float64. A rectifier has no gradient at zero: where float32 rounds a batch otherwise than its records one by
one, a number falls on the other side of zero now and then, and sums that should be equal differ by a ten-thousandth.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.errors import ModelRefused
from training.models.networks import Network
from training.privacy.engines import engine

TOLERANCE = 1e-6
GROUPS = 8  # of the group normalisation that `mend` puts in, or the largest divisor of the width below it


def check(network: Network, features: NDArray[np.float32], labels: NDArray[np.int64], name: str = "torch.func") -> None:
    """Return quietly if the engine `name` can train `network` on records like these (made up, 4 or more, no two
    alike).

    Raises ModelRefused `model.frozen` (a parameter does not train), `model.dtype`, `model.buffers` (running statistics
    of records), `model.in-place` (a layer writes over what another needs), `model.no-gradient`, `model.not-finite`,
    `model.mixes-records` (one record's gradient depends on others, or on chance), `model.unbounded` (the clipped sum is
    longer than its bound).
    """
    _check_layers(network.module)
    module, features = _in_float64(network.module), features.astype(np.float64)
    weights = torch.from_numpy(network.give()).double()
    owners = np.arange(len(features), dtype=np.intp)
    wide, narrow = (engine(name, module, network.loss, clip, len(features)) for clip in (1e30, 0.01))
    together = wide.clipped_sum(weights, features, labels, owners)
    if not torch.isfinite(together).all() or not together.any():
        raise ModelRefused("model.not-finite", "the gradients of made-up records are not finite, or all are zero")
    # The plain gradient of the summed loss: equal to the sum of single gradients only if records do not mix.
    try:
        mean = network.loss(module(torch.from_numpy(features)), torch.from_numpy(labels))
        mean.backward()  # type: ignore[no-untyped-call]
    except (RuntimeError, TypeError) as error:
        raise ModelRefused("model.no-gradient", "the network fails on a batch", cause=str(error)) from error
    plain = torch.cat([_gradient(parameter) for parameter in module.parameters()]) * len(features)
    if (plain - together).norm() > TOLERANCE * (1 + together.norm()):
        raise _mixed()
    bounded = narrow.clipped_sum(weights, features, labels, owners)
    if bounded.norm() > 0.01 * len(features) * (1 + TOLERANCE):
        raise ModelRefused("model.unbounded", "the clipped sum is longer than clip times patients: do not train this")
    # Hooks on a batch add up to its plain gradient even where records mix: only each one alone, clipped, tells.
    singles = (slice(place, place + 1) for place in range(len(features)))
    alone = sum(narrow.clipped_sum(weights, features[one], labels[one], owners[:1]) for one in singles)
    if (bounded - alone).norm() > TOLERANCE * (0.01 + bounded.norm()):
        raise _mixed()


def mend(module: nn.Module) -> list[str]:
    """Put group normalisation in the place of every layer that looks at a batch, and let none write in place.

    Changes `module`; the list says what was done, in the words of the table in docs/networks.md.
    """
    done = set()
    for parent in list(module.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                groups = math.gcd(GROUPS, layer.num_features)
                setattr(parent, name, nn.GroupNorm(groups, layer.num_features, layer.eps).train(layer.training))
                done.add("GroupNorm")
            elif getattr(layer, "inplace", False) is True:
                layer.inplace = False  # type: ignore[assignment]
                done.add("inplace off")
    return sorted(done)


def _check_layers(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            raise ModelRefused("model.frozen", "every parameter must train: remove frozen ones", parameter=name)
        if parameter.dtype != torch.float32:
            raise ModelRefused("model.dtype", "every parameter must be float32", parameter=name)
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) or getattr(layer, "track_running_stats", False):
            raise ModelRefused("model.buffers", "a layer keeps statistics of records: use group normalisation instead")
        if getattr(layer, "inplace", False) is True:
            raise ModelRefused("model.in-place", "a layer writes over what another needs: build it with inplace=False")


def _in_float64(module: nn.Module) -> nn.Module:
    own = copy.deepcopy(module).double()
    for layer in own.modules():  # a tensor that is neither parameter nor buffer is not seen by double()
        for name, value in vars(layer).items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                setattr(layer, name, value.double())
    return own


def _mixed() -> ModelRefused:
    message = "a layer mixes records, or draws random numbers: use group normalisation and no random layers"
    return ModelRefused("model.mixes-records", message)


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    return parameter.new_zeros(parameter.numel()) if parameter.grad is None else parameter.grad.flatten()
