"""A record's gradient of a layer, from what went into the layer and what came back to it (delta).

For a linear layer it is the outer product of the two, summed over positions; a convolution is a linear layer on the
patches that its kernel saw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import group_norm, pad
from torch.nn.modules.conv import _ConvNd

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMS = (nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
KNOWN = (nn.Linear, nn.PReLU, *NORMS, *CONVOLUTIONS, *TRANSPOSED)


@dataclass(frozen=True, slots=True)
class Written:
    """Gradients as they are: float32 (n, p)."""

    gradients: Tensor

    def norms(self) -> Tensor:
        """The length of each, float64 (n,)."""
        norms: Tensor = torch.linalg.vector_norm(self.gradients, dim=1, dtype=torch.float64)
        return norms

    def summed(self, factors: Tensor) -> Tensor:
        """The sum of the gradients times `factors`, float32 (n,): float32 (p,)."""
        return factors @ self.gradients


@dataclass(frozen=True, slots=True)
class Product:
    """Gradients as left @ right.mT: float32 (n, groups, a, positions) and (n, groups, b, positions)."""

    left: Tensor
    right: Tensor

    @property
    def short(self) -> bool:
        """Whether norm and sum are less work than the product written down."""
        (a, positions), b = self.left.shape[2:], self.right.shape[2]
        return positions * (a + b) < a * b

    def written(self) -> Written:
        return Written((self.left @ self.right.mT).flatten(1))

    def norms(self) -> Tensor:
        """As Written.norms: |left @ right.mT|^2 is the sum of the products of the sides' Gram matrices.

        In float64: where positions cancel, so does the sum, and a norm found too short would let a patient through.
        """
        left, right = (side.mT @ side for side in (self.left.double(), self.right.double()))
        return (left * right).flatten(1).sum(1).clamp(min=0.0).sqrt()

    def summed(self, factors: Tensor) -> Tensor:
        """As Written.summed."""
        scaled = self.left * factors[:, None, None, None]
        return torch.einsum("ngal,ngbl->gab", scaled, self.right).flatten()


def refusal(layer: nn.Module) -> str | None:
    """Why the gradients of `layer` are not known here, if they are not. Exact types: a subclass may do anything."""
    if type(layer) not in KNOWN:
        return f"{type(layer).__name__} has parameters of its own"
    if getattr(layer, "track_running_stats", False):
        return f"{type(layer).__name__} keeps statistics of records"
    if getattr(layer, "padding_mode", "zeros") != "zeros" or isinstance(getattr(layer, "padding", 0), str):
        return f"{type(layer).__name__} pads with something else than zeros"
    return None


def gradients(layer: nn.Module, put: Tensor, delta: Tensor) -> Iterator[tuple[Tensor, Written | Product]]:
    """Each parameter of `layer` (one of KNOWN), with its gradient for each record.

    `put`: float32 (n, ...), what went in. `delta`: float32 (n, ...), the gradient of what came out.
    """
    if isinstance(layer, nn.PReLU):
        moved = _by_channel(put.clamp(max=0.0) * delta)
        yield layer.weight, Written(moved if layer.num_parameters > 1 else moved.sum(1, keepdim=True))
        return
    if isinstance(layer, NORMS):
        groups = layer.num_groups if isinstance(layer, nn.GroupNorm) else put.shape[1]
        yield layer.weight, Written(_by_channel(group_norm(put, groups, eps=layer.eps) * delta))
        yield layer.bias, Written(_by_channel(delta))
        return
    if isinstance(layer, nn.Linear):
        put, delta = (side.reshape(len(side), -1, side.shape[-1]).mT for side in (put, delta))
        yield layer.weight, Product(delta[:, None], put[:, None])
    elif isinstance(layer, _ConvNd):
        left, right = (put, delta) if isinstance(layer, TRANSPOSED) else (delta, put)
        yield layer.weight, Product(_split(left, layer.groups), _split(patches(right, layer), layer.groups))
    else:
        raise TypeError(f"the gradients of {type(layer).__name__} are not known")
    if layer.bias is not None:
        yield layer.bias, Written(_by_channel(delta))


def _by_channel(values: Tensor) -> Tensor:
    """The sum over positions: (n, channels, ...) as (n, channels)."""
    return values.reshape(*values.shape[:2], -1).sum(2)


def _split(side: Tensor, groups: int) -> Tensor:
    """(n, channels, ...) as (n, groups, channels of a group, positions)."""
    return side.reshape(len(side), groups, side.shape[1] // groups, -1)


def patches(image: Tensor, layer: _ConvNd) -> Tensor:
    """What the kernel of a convolution sees at each of its positions: (n, channels * kernel, positions).

    `image`: (n, channels, ...). The order is that of the kernel's weights: channel, then place in the kernel.
    """
    axes = len(layer.kernel_size)
    widths = [int(width) for width in layer.padding]
    if any(widths):
        image = pad(image, [width for width in reversed(widths) for _ in range(2)])
    for axis, (size, step, gap) in enumerate(zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)):
        image = image.unfold(2 + axis, gap * (size - 1) + 1, step)
    for axis, gap in enumerate(layer.dilation):
        image = image[(slice(None),) * (2 + axes + axis) + (slice(None, None, gap),)]
    seen = image.permute(0, 1, *range(2 + axes, 2 + 2 * axes), *range(2, 2 + axes))
    return seen.reshape(len(seen), seen.shape[1] * math.prod(layer.kernel_size), -1)
