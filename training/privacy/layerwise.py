"""The clipped sum from what goes into each layer and what comes back to it: one pass forward, one back.

Plain autograd gives both for a whole batch, at the price of a plain step without its gradients of weights. Nothing is
vectorised over records, so a batch may have any size, and none of it is padding. A layer's gradients are written down
where that is less work than their norms alone; where not, the clipped sum is taken from the scaled deltas and nothing
is written down, with no second pass (Bu et al. 2022, arXiv:2205.10683, "mixed ghost clipping"; 2023, arXiv:2210.00038,
"book-keeping").

It knows the layers of training.privacy.layers, each used once in a pass. Preflight holds what it gives, all together
and record by record, against plain autograd.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from training.privacy.engine import SLACK, Features, Labels, Loss, Owners, finite_sum, no_gradient
from training.privacy.layers import Product, Written, gradients, refusal

FAILURES = (AttributeError, RuntimeError, TypeError, ValueError)  # of a network whose layers do other than theirs do


class LayerwiseEngine:
    """Clipped sums for one network, layer by layer. Holds no data between calls."""

    def __init__(self, module: nn.Module, loss: Loss, clip: float) -> None:
        """As training.privacy.engine.PatientEngine. Raises ModelRefused `model.no-gradient`."""
        self._module = copy.deepcopy(module)
        self._loss = loss
        self._clip = clip
        self._seen: dict[nn.Module, tuple[Tensor, Tensor, list[bool]]] = {}
        for layer in self._module.modules():
            if next(layer.parameters(recurse=False), None) is not None:
                if why := refusal(layer):
                    raise no_gradient(TypeError(why))
                layer.register_forward_hook(self._see)

    def clipped_sum(self, weights: Tensor, features: Features, labels: Labels, owners: Owners) -> Tensor:
        """As training.privacy.engine.PatientEngine.clipped_sum."""
        return finite_sum(self._summed, weights, features, labels, owners)

    def _summed(self, weights: Tensor, features: Features, labels: Labels, owners: Owners) -> tuple[Tensor, Tensor]:
        """The clipped sum, and each patient's norm before clipping, float64 (patients,)."""
        vector_to_parameters(weights, self._module.parameters())
        if (owners[1:] < owners[:-1]).any():
            order = np.argsort(owners, kind="stable")
            features, labels, owners = features[order], labels[order], owners[order]
        try:
            passed = self._passed(torch.as_tensor(features), torch.as_tensor(labels))
            with torch.inference_mode():
                found = {
                    parameter: of_patients(records, owners)
                    for layer, put, delta, trains in passed
                    for (parameter, records), moves in zip(gradients(layer, put, delta), trains, strict=True)
                    if moves
                }
                squares = torch.zeros(int(owners[-1]) + 1, dtype=torch.float64)
                norms = sum((one.norms() ** 2 for one in found.values()), squares).sqrt()
                factors = (self._clip / (norms + SLACK)).clamp(max=1.0).to(weights.dtype)
                parts = [
                    found[parameter].summed(factors) if parameter in found else weights.new_zeros(parameter.numel())
                    for parameter in self._module.parameters()
                ]
                return torch.cat(parts), norms
        except FAILURES as error:
            raise no_gradient(error) from error
        finally:
            self._seen.clear()

    def _passed(self, features: Tensor, labels: Tensor) -> list[tuple[nn.Module, Tensor, Tensor, list[bool]]]:
        """Each layer with what went in, what came back, and which of its parameters train."""
        with torch.enable_grad():
            loss = self._loss(self._module(features), labels) * len(labels)  # the mean over records, as their sum
        if any(len(put) != len(labels) for put, *_ in self._seen.values()):
            raise RuntimeError("a layer sees a record in parts")  # whose lengths would not be the patient's
        deltas = torch.autograd.grad(loss, [out for _, out, _ in self._seen.values()], allow_unused=True)
        return [
            (layer, put, delta, trains)
            for (layer, (put, _, trains)), delta in zip(self._seen.items(), deltas, strict=True)
            if delta is not None
        ]

    def _see(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """What a layer does in a pass. Frozen parameters stand in it without a gradient: they count for nothing."""
        if layer in self._seen:
            raise RuntimeError("a layer is used twice in a pass")
        if any(trains := [parameter.requires_grad for parameter in layer.parameters(recurse=False)]):
            self._seen[layer] = inputs[0].detach(), output, trains


def of_patients(records: Written | Product, owners: Owners) -> Written | Product:
    """Each patient's mean of the gradients of `records`, which are sorted by patient (owners: 0, 0, 1, ...)."""
    counts = np.bincount(owners)
    if counts.max() == 1:
        return records if isinstance(records, Written) or records.short else records.written()
    written = records if isinstance(records, Written) else records.written()
    rows = written.gradients
    shares = torch.as_tensor(1.0 / counts[owners], dtype=rows.dtype)
    means = rows.new_zeros(len(counts), rows.shape[1])
    means.index_add_(0, torch.as_tensor(owners.astype(np.int64)), rows * shares[:, None])
    return Written(means, written.kernel)
