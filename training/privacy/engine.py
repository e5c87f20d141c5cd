"""The clipped sum of per-patient gradients, by torch.func: vmap(grad) over records, mean per patient, clip, add up.

The unit is the patient: a patient's gradient is the mean over that patient's records, so however many records a patient
has, the sum moves by at most `clip` when the patient comes or goes. A gradient that is not finite (or whose norm is
not) counts as zero. Clipping multiplies by min(1, clip / (norm + 1e-6)) as Opacus does; float32 rounding may leave a
clipped norm a few parts in ten million above `clip`.

A small network spends its time on dispatching operations, not on arithmetic. So the function is traced once for each
capacity (a batch padded to the next of a few sizes) and the trace is replayed: 0.1 ms a step instead of 1.3 ms. Padding
stands in a slot that is dropped before the sum.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from training.errors import ModelRefused

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs (1, ...), labels (1,)) of one record -> its loss, a scalar."""

Summed = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]

SLACK = 1e-6  # Opacus' (optimizers/optimizer.py): keeps clip / norm finite and the product below clip


class PatientEngine:
    """Clipped sums for one network. Holds no data and no weights between calls, only traces."""

    def __init__(self, module: nn.Module, loss: Loss, clip: float) -> None:
        """`module`: all its parameters train, no layer mixes records (preflight checks); `clip` > 0."""
        self._function = _clipped_sum(module, loss, clip)
        self._traces: dict[tuple[int, int], Summed] = {}

    def clipped_sum(
        self, weights: Tensor, features: NDArray[np.float32], labels: NDArray[np.int64], owners: NDArray[np.intp]
    ) -> Tensor:
        """The sum over patients of clipped mean gradients: float32 (P,).

        `weights`: float32 (P,), the module's parameters in order. `features`: float32 (n, ...); `labels`: int64 (n,);
        `owners`: (n,), the place of each record's patient in 0..n-1. No records: zeros.
        Raises ModelRefused `model.no-gradient` where the network cannot be differentiated record by record.
        """
        if not len(features):
            return torch.zeros_like(weights)
        patients = int(owners.max()) + 1
        rows, slots = capacity(len(features)), capacity(patients)
        shares = 1.0 / np.bincount(owners, minlength=patients)[owners]
        batch = (
            weights,
            torch.from_numpy(_padded(features, rows)),
            torch.from_numpy(_padded(labels, rows)),
            torch.from_numpy(_padded(owners.astype(np.int64), rows, fill=slots)),
            torch.from_numpy(_padded(shares.astype(np.float32), rows)),
        )
        trace = self._traces.get((rows, slots))
        if trace is None:
            trace = self._traces[rows, slots] = self._trace(slots, batch)
        with torch.inference_mode():
            return trace(*batch)

    def _trace(self, slots: int, batch: tuple[Tensor, ...]) -> Summed:
        try:
            graph: Summed = make_fx(self._function(slots))(*batch)
        except (RuntimeError, TypeError, NotImplementedError) as error:
            raise ModelRefused(
                "model.no-gradient",
                "this network has no gradient for a single record (a layer mixes records, changes tensors in place "
                "or draws random numbers): use group normalisation, out-of-place activations and no dropout",
                cause=f"{type(error).__name__}: {error}",
            ) from error
        return _compiled(graph, batch)


def _compiled(graph: Summed, batch: tuple[Tensor, ...]) -> Summed:
    """`graph` as TorchScript, which replays a small one three times faster; as it is where the tracer cannot.

    torch.compile would need a C++ compiler at every hospital. torch.jit is deprecated: the constraints file pins torch.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            script: Summed = torch.jit.trace(graph, batch, check_trace=False)  # type: ignore[no-untyped-call]
        except RuntimeError:  # an operation with an argument the tracer does not record
            return graph
    return script


def capacity(count: int) -> int:
    """The smallest of 16, 24, 32, 48, 64, 96, ... that holds `count`: few traces, at most half of a batch padding."""
    size = 16
    while size < count:
        if size * 3 // 2 >= count:
            return size * 3 // 2
        size *= 2
    return size


def _clipped_sum(module: nn.Module, loss: Loss, clip: float) -> Callable[[int], Summed]:
    names = [name for name, _ in module.named_parameters()]
    shapes = [parameter.shape for parameter in module.parameters()]
    sizes = [shape.numel() for shape in shapes]

    def record_loss(weights: Tensor, features: Tensor, label: Tensor) -> Tensor:
        parts = torch.split(weights, sizes)
        parameters = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        return loss(functional_call(module, parameters, (features[None],)), label[None])

    gradients = vmap(grad(record_loss), in_dims=(None, 0, 0))

    def for_slots(slots: int) -> Summed:
        def summed(weights: Tensor, features: Tensor, labels: Tensor, owners: Tensor, shares: Tensor) -> Tensor:
            records = gradients(weights, features, labels) * shares[:, None]
            means = torch.zeros(slots + 1, records.shape[1]).index_add(0, owners, records)[:slots]
            norms = means.norm(dim=1)
            finite = torch.isfinite(norms)
            factors = torch.where(finite, (clip / (norms + SLACK)).clamp(max=1.0), 0.0)
            result: Tensor = factors @ torch.where(finite[:, None], means, 0.0)
            return result

        return summed

    return for_slots


def _padded(values: NDArray[np.generic], rows: int, fill: int = 0) -> NDArray[np.generic]:
    padded = np.full((rows, *values.shape[1:]), fill, dtype=values.dtype)
    padded[: len(values)] = values
    return padded
