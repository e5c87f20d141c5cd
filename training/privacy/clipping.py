"""From gradients to a clipped sum, for engines that write gradients down; one patient's gradient by plain passes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from training.privacy.engine import SLACK, Features, Labels, Loss, Owners


def clipped(records: Tensor, owners: Owners, clip: float) -> Tensor:
    """The sum over patients of the clipped means of their `records`, float32 (n, P): float32 (P,).

    `owners`: (n,), each record's patient in 0..; a patient whose mean is not finite counts as zero.
    """
    shares = torch.as_tensor(1.0 / np.bincount(owners)[owners], dtype=records.dtype)
    places = torch.as_tensor(owners.astype(np.int64))
    means = records.new_zeros(int(owners.max()) + 1, records.shape[1]).index_add(0, places, records * shares[:, None])
    norms = means.norm(dim=1)
    finite = torch.isfinite(norms)
    factors = (clip / (norms[finite] + SLACK)).clamp(max=1.0)
    total: Tensor = factors @ means[finite]
    return total


def scaled(mean: Tensor, clip: float) -> Tensor:
    """One patient's mean gradient (P,), clipped; zeros where it is not finite."""
    norm = mean.norm()
    if not torch.isfinite(norm):
        return torch.zeros_like(mean)
    shorter: Tensor = mean * (clip / (norm + SLACK)).clamp(max=1.0)
    return shorter


class PatientGradient:
    """One patient's mean gradient by plain passes over `rows` records at a time: any number of records, one memory."""

    def __init__(self, module: nn.Module, loss: Loss, rows: int = 64) -> None:
        self._module, self._loss, self._rows = module, loss, rows
        self._names = [name for name, _ in module.named_parameters()]
        self._shapes = [parameter.shape for parameter in module.parameters()]

    def mean(self, weights: Tensor, features: Features, labels: Labels) -> Tensor:
        """float32 (P,); records (n >= 1) are of one patient. The loss of a batch is the mean of its records' losses."""
        total = torch.zeros_like(weights)
        for start in range(0, len(features), self._rows):
            piece = features[start : start + self._rows]
            whole = weights.clone().requires_grad_()
            parts = torch.split(whole, [shape.numel() for shape in self._shapes])
            shaped = [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]
            outputs = functional_call(
                self._module, dict(zip(self._names, shaped, strict=True)), (torch.as_tensor(piece),)
            )
            mean = self._loss(outputs, torch.as_tensor(labels[start : start + self._rows]))
            (gradient,) = torch.autograd.grad(mean, whole)
            total += gradient * (len(piece) / len(features))
        return total
