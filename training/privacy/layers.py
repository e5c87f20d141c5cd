"""A record's gradient of a layer, from what went into the layer and what came back to it (delta).

For a linear layer it is the outer product of the two, summed over positions; a convolution is a linear layer on the
patches that its kernel saw. Patches of many channels are copied with these side by side, in runs that memory gives
whole; a parameter has them the other way about, which changes no norm, and the sum is turned round once it is taken.
Where only the product is wanted, patches are made of a few records at a time, in one buffer that stays in the cache:
memory given back and asked for anew costs as much as the copying does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMS = (nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
SIDE_BY_SIDE = 4  # channels from which such runs are the longer ones, measured
AT_ONCE = 2**18  # numbers in patches made at a time, 1 MiB of float32: half of a core's own cache, measured
KNOWN = (nn.Linear, nn.PReLU, *NORMS, *CONVOLUTIONS, *TRANSPOSED)


@dataclass(frozen=True, slots=True)
class Written:
    """Gradients as they are: float32 (n, p). `kernel`: (places, channels) if they run over places before channels."""

    gradients: Tensor
    kernel: tuple[int, int] = (1, 1)

    def norms(self) -> Tensor:
        """The length of each, float64 (n,)."""
        norms: Tensor = torch.linalg.vector_norm(self.gradients, dim=1, dtype=torch.float64)
        return norms

    def summed(self, factors: Tensor) -> Tensor:
        """The sum of the gradients times `factors`, float32 (n,): float32 (p,), in the parameter's order."""
        return _turned(factors @ self.gradients, self.kernel)


@dataclass(frozen=True, slots=True)
class Product:
    """Gradients as left @ right.mT: float32 (n, groups, a, positions), (n, groups, b, positions); else as Written."""

    left: Tensor
    right: Tensor
    kernel: tuple[int, int] = (1, 1)

    @property
    def short(self) -> bool:
        """Whether norm and sum are less work than the product written down."""
        (a, positions), b = self.left.shape[2:], self.right.shape[2]
        return is_short(a, b, positions)

    def written(self) -> Written:
        return Written((self.left @ self.right.mT).flatten(1), self.kernel)

    def norms(self) -> Tensor:
        """As Written.norms: |left @ right.mT|^2 is the sum of the products of the sides' Gram matrices.

        In float64: where positions cancel, so does the sum, and a norm found too short would let a patient through.
        """
        left, right = (side.mT @ side for side in (self.left.double(), self.right.double()))
        return (left * right).flatten(1).sum(1).clamp(min=0.0).sqrt()

    def summed(self, factors: Tensor) -> Tensor:
        """As Written.summed."""
        scaled = self.left * factors[:, None, None, None]
        return _turned(torch.einsum("ngal,ngbl->gab", scaled, self.right).flatten(), self.kernel)


def is_short(a: int, b: int, positions: int) -> bool:
    """Whether norm and sum of (a, positions) @ (positions, b) are less work than the product written down."""
    return positions * (a + b) < a * b


def _turned(flat: Tensor, kernel: tuple[int, int]) -> Tensor:
    """(..., places, channels) as (..., channels, places), both flat."""
    return flat if 1 in kernel else flat.view(-1, *kernel).mT.reshape(-1)


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
        scale, shift = _of_scale_and_shift(put, delta, groups, layer.eps)
        yield layer.weight, Written(scale)
        yield layer.bias, Written(shift)
        return
    if isinstance(layer, nn.Linear):
        put, delta = (side.reshape(len(side), -1, side.shape[-1]).mT for side in (put, delta))
        yield layer.weight, Product(delta[:, None], put[:, None])
    elif isinstance(layer, _ConvNd):
        left, right = (put, delta) if isinstance(layer, TRANSPOSED) else (delta, put)
        yield layer.weight, _of_kernel(_split(left, layer.groups).flatten(3), _split(right, layer.groups), layer)
    else:
        raise TypeError(f"the gradients of {type(layer).__name__} are not known")
    if layer.bias is not None:
        yield layer.bias, Written(_by_channel(delta))


def _by_channel(values: Tensor) -> Tensor:
    """The sum over positions: (n, channels, ...) as (n, channels)."""
    return values.reshape(*values.shape[:2], -1).sum(2)


def _of_scale_and_shift(put: Tensor, delta: Tensor, groups: int, eps: float) -> tuple[Tensor, Tensor]:
    """Both gradients of a normalisation, each (n, channels).

    Torch adds up a batch's. So it is shown one record, which has the channels of all.
    """
    records, channels = put.shape[:2]
    shape = 1, records * channels, put[0, 0].numel()
    put, delta = put.reshape(shape), delta.reshape(shape)
    _, mean, spread = torch.native_group_norm(put, None, None, *shape, records * groups, eps)
    _, scale, shift = torch.ops.aten.native_group_norm_backward(
        delta, put, mean, spread, put.new_ones(shape[1]), *shape, records * groups, [False, True, True]
    )
    return scale.view(records, channels), shift.view(records, channels)


def _split(side: Tensor, groups: int) -> Tensor:
    """(n, channels, ...) as (n, groups, channels of a group, ...)."""
    return side.reshape(len(side), groups, side.shape[1] // groups, *side.shape[2:])


def _of_kernel(left: Tensor, image: Tensor, layer: _ConvNd) -> Written | Product:
    """The gradient of a convolution's kernel. `left`: (n, groups, a, positions); `image`: as Patches.of has it."""
    if {*layer.kernel_size, *layer.stride} == {1} and not any(layer.padding):
        return Product(left, image.flatten(3))
    records, groups, a, positions = left.shape
    b = image.shape[2] * math.prod(layer.kernel_size)
    if is_short(a, b, positions):
        seen = Patches(image, layer, records)
        return Product(left, seen.of(image), seen.kernel)
    rows = min(records, max(1, AT_ONCE // (groups * b * positions)))
    seen, found = Patches(image, layer, rows), left.new_empty(records, groups, a, b)
    for start in range(0, records, rows):
        some = slice(start, start + rows)
        torch.matmul(left[some], seen.of(image[some]).mT, out=found[some])
    return Written(found.flatten(1), seen.kernel)


class Patches:
    """What the kernel of a convolution sees at each of its positions, of at most `rows` records at a time.

    `kernel`: its order, as Written.kernel has it.
    """

    def __init__(self, image: Tensor, layer: _ConvNd, rows: int) -> None:
        """`image`: of the shape and kind that `of` will be given, any number of records."""
        axes, (groups, channels), sizes = len(layer.kernel_size), image.shape[1:3], image.shape[3:]
        widths = [int(width) for width in layer.padding]
        last = channels >= SIDE_BY_SIDE
        sides = [size + 2 * width for size, width in zip(sizes, widths, strict=True)]
        shape = (*sides, channels) if last else (channels, *sides)
        whole = image.new_zeros(rows, groups, *shape).movedim(-1 if last else 2, 2)
        self._inner = whole[(..., *(slice(width, -width or None) for width in widths))]
        for axis, (size, step, gap) in enumerate(zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)):
            whole = whole.unfold(3 + axis, gap * (size - 1) + 1, step)
        for axis, gap in enumerate(layer.dilation):
            whole = whole[(slice(None),) * (3 + axes + axis) + (slice(None, None, gap),)]
        places, kernel = range(3, 3 + axes), range(3 + axes, 3 + 2 * axes)
        self._view = whole.permute(0, 1, *places, *kernel, 2) if last else whole.permute(0, 1, 2, *kernel, *places)
        self._copy = self._view.new_empty(self._view.shape)
        count = math.prod(whole.shape[3 : 3 + axes])
        self._flat = self._copy.view(rows, groups, count, -1).mT if last else self._copy.view(rows, groups, -1, count)
        self.kernel = (math.prod(layer.kernel_size), channels) if last else (1, channels)

    def of(self, image: Tensor) -> Tensor:
        """`image`: (n, groups, channels, ...). What is seen, until the next call: (n, groups, channels * kernel,
        positions).
        """
        count = len(image)
        self._inner[:count] = image  # what surrounds it stays zero
        self._copy[:count] = self._view[:count]
        return self._flat[:count]
