"""The clipped sum of per-patient gradients: mean per patient, clip, add up.

The unit is the patient: a patient's gradient is the mean over that patient's records, so however many records a patient
has, the sum moves by at most `clip` when the patient comes or goes. A gradient that is not finite (or whose norm is
not) counts as zero. Clipping multiplies by min(1, clip / (norm + 1e-6)) as Opacus does; float32 rounding may leave a
clipped norm a few parts in ten million above `clip`.

In general torch.func gives each record's gradient: vmap(grad). Where the network is a chain of linear layers and
elementwise functions, and each patient in the batch has one record, no such gradient is ever written down: a layer's
is the outer product of what comes back (delta) and what went in (input), so that its norm is |delta| * |input, 1| and
the clipped sum is one matrix product (Goodfellow 2015, arXiv:1510.01799).

A patient whose gradient is no number shows in the norms; the sum is then taken once more without that patient
(`finite_sum`).

A small network spends its time on dispatching operations, not on arithmetic. So the function is traced once for each
capacity (a batch padded to the next of a few sizes) and the trace is replayed: 0.1 ms a step instead of 1.3 ms. Padding
repeats a record with a share of 0.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import linear

from training.errors import ModelRefused
from training.privacy.tape import record

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs (1, ...), labels (1,)) of one record -> its loss, a scalar."""

Summed = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(weights, features, labels, owners, shares) -> the clipped sum, and each patient's norm before clipping."""

Features = NDArray[np.float32]
Labels = NDArray[np.int64]
Owners = NDArray[np.integer]

Once = Callable[[Tensor, Features, Labels, Owners], tuple[Tensor, Tensor]]
"""(weights, features, labels, owners) -> the clipped sum, and each patient's norm before clipping."""

ELEMENTWISE = (nn.Identity, nn.Tanh, nn.Sigmoid, nn.ReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Softplus, nn.LeakyReLU)
SLACK = 1e-6  # Opacus' (optimizers/optimizer.py): keeps clip / norm finite and the product below clip


class PatientEngine:
    """Clipped sums for one network by torch.func. Holds no data and no weights between calls, only traces."""

    def __init__(self, module: nn.Module, loss: Loss, clip: float) -> None:
        """`module`: all its parameters train, no layer mixes records (preflight checks); `clip` > 0."""
        module = copy.deepcopy(module)  # a network that keeps tensors of a pass would keep those of a trace
        self._function = _clipped_sum(module, loss, clip)
        chain = linear_chain(module)
        self._closed = None if chain is None else _closed_sum(chain, loss, clip)
        self._traces: dict[tuple[int, int], Summed] = {}

    def clipped_sum(self, weights: Tensor, features: Features, labels: Labels, owners: Owners) -> Tensor:
        """The sum over patients of clipped mean gradients: float32 (P,).

        `weights`: float32 (P,), the module's parameters in order. `features`: float32 (n, ...); `labels`: int64 (n,);
        `owners`: (n,), the place of each record's patient in 0..n-1. No records: zeros.
        Raises ModelRefused `model.no-gradient` where the network cannot be differentiated record by record.
        """
        return finite_sum(self._summed, weights, features, labels, owners)

    def _summed(self, weights: Tensor, features: Features, labels: Labels, owners: Owners) -> tuple[Tensor, Tensor]:
        patients = int(owners.max()) + 1
        rows = capacity(len(features))
        closed = self._closed is not None and patients == len(features) and features.ndim == 2
        slots = 0 if closed else capacity(patients)
        shares = 1.0 / np.bincount(owners, minlength=patients)[owners]
        places = np.minimum(np.arange(rows), len(features) - 1)  # padding repeats a record, with a share of 0
        batch = (
            weights,
            torch.as_tensor(features[places]),
            torch.as_tensor(labels[places]),
            torch.as_tensor(_padded(owners.astype(np.int64), rows, fill=slots)),
            torch.as_tensor(_padded(shares, rows), dtype=weights.dtype),
        )
        trace = self._traces.get((rows, slots))
        if trace is None:
            trace = self._traces[rows, slots] = self._trace(slots, batch)
        with torch.inference_mode():
            total, norms = trace(*batch)
        return total, norms[:patients]

    def _trace(self, slots: int, batch: tuple[Tensor, ...]) -> Summed:
        try:
            function = self._function(slots) if slots or self._closed is None else self._closed
            graph = record(function, batch)
        except (RuntimeError, TypeError, NotImplementedError) as error:
            raise no_gradient(error) from error
        return _compiled(graph, batch)


def finite_sum(summed: Once, weights: Tensor, features: Features, labels: Labels, owners: Owners) -> Tensor:
    """What `summed` gives of these records, without the patients whose norm is no number: float32 (P,).

    They count as zero: the sum is taken once more without them, since in the batch 0 times infinity would not be 0.
    """
    while len(features):
        total, norms = summed(weights, features, labels, owners)
        finite = np.isfinite(norms.cpu().numpy())
        if finite.all():
            return total
        kept = finite[owners]
        features, labels = features[kept], labels[kept]
        owners = (np.cumsum(finite) - 1)[owners[kept]]
    return torch.zeros_like(weights)


def no_gradient(error: Exception) -> ModelRefused:
    """What every engine says of a network that has no gradient for a single record."""
    return ModelRefused(
        "model.no-gradient",
        "this network has no gradient for a single record (a layer mixes records, changes tensors in place "
        "or draws random numbers): use group normalisation, out-of-place activations and no dropout",
        cause=f"{type(error).__name__}: {error}",
    )


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
        def summed(
            weights: Tensor, features: Tensor, labels: Tensor, owners: Tensor, shares: Tensor
        ) -> tuple[Tensor, Tensor]:
            records = gradients(weights, features, labels) * shares[:, None]
            means = records.new_zeros(slots + 1, records.shape[1]).index_add(0, owners, records)[:slots]
            norms = means.norm(dim=1)
            return (clip / (norms + SLACK)).clamp(max=1.0) @ means, norms

        return summed

    return for_slots


def _closed_sum(chain: Sequence[nn.Module], loss: Loss, clip: float) -> Summed:
    """The same sum for a `linear_chain` and one record a patient. Norms are taken in float64: squares of float32
    numbers neither overflow nor vanish in it, so a product of two norms is as good as the norm of the product.
    """
    sizes = [parameter.numel() for layer in chain for parameter in layer.parameters()]
    losses = vmap(lambda output, label: loss(output[None], label[None]))

    @torch.enable_grad()
    def summed(
        weights: Tensor, features: Tensor, labels: Tensor, owners: Tensor, shares: Tensor
    ) -> tuple[Tensor, Tensor]:
        parts, flow = list(torch.split(weights, sizes)), features
        inputs: list[Tensor] = []  # of the linear layers, as all below
        biased: list[bool] = []
        outputs: list[Tensor] = []
        for layer in chain:
            if isinstance(layer, nn.Linear):
                inputs.append(flow.detach())
                biased.append(layer.bias is not None)
                weight = parts.pop(0).view_as(layer.weight)
                flow = linear(flow, weight, parts.pop(0) if layer.bias is not None else None)
                if not outputs:
                    flow = flow.detach().requires_grad_()
                outputs.append(flow)
            else:
                flow = layer(flow)
        # What comes back. Not torch.func's: that imports torch's compilers, in every hospital's worker.
        deltas = torch.autograd.grad(losses(flow, labels).sum(), outputs)
        pairs = list(zip(deltas, inputs, biased, strict=True))
        norms = torch.zeros_like(shares, dtype=torch.float64)
        for delta, put, bias in pairs:
            reach = torch.hypot(_length(put), torch.ones_like(norms)) if bias else _length(put)
            norms = torch.hypot(norms, _length(delta) * reach)
        factors = ((clip / (norms + SLACK)).clamp(max=1.0) * shares).to(weights.dtype)[:, None]
        gradients: list[Tensor] = []
        for delta, put, bias in pairs:
            clipped = delta * factors
            gradients.append((clipped.T @ put).flatten())
            if bias:
                gradients.append(clipped.sum(0))
        return torch.cat(gradients), norms

    return summed


def linear_chain(module: nn.Module) -> list[nn.Module] | None:
    """The linear layers and elementwise functions that `module` applies to rows (n, d), in order; None if it is other.

    Exact types, all known to treat each record by itself and to change nothing in place: what a subclass does is not.
    """
    if type(module) is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
        return []  # rows are flat
    if type(module) in {nn.Linear, *ELEMENTWISE}:
        return None if getattr(module, "inplace", False) else [module]
    if type(module).forward is not nn.Sequential.forward:
        return None
    parts = [linear_chain(child) for child in module._modules.values() if child is not None]  # children() skips repeats
    chain = [layer for part in parts for layer in part or ()]
    known = None not in parts and len(set(chain)) == len(chain)
    return chain if known else None


def _length(rows: Tensor) -> Tensor:
    """The length of each row, float64 (n,)."""
    length: Tensor = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    return length


def _padded(values: NDArray[np.generic], rows: int, fill: int = 0) -> NDArray[np.generic]:
    padded = np.full((rows, *values.shape[1:]), fill, dtype=values.dtype)
    padded[: len(values)] = values
    return padded
