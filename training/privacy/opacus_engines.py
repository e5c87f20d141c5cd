"""The clipped sum by Opacus: per-record gradients from hooks, or ghost clipping, which writes none of them down.

Hooks keep each record's gradient of each layer. Ghost clipping (Li et al. 2022, arXiv:2110.05679) takes the norms from
what goes into and comes back to a layer, and the sum from a second, weighted pass: least memory, more time. It sees
single records, so a patient with several takes plain passes of their own.

Only Opacus' gradients and norms are used. The patient as unit, clipping, noise, sampling and accounting are ours.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from opacus import GradSampleModule
from opacus.grad_sample import GradSampleModuleFastGradientClipping
from opacus.grad_sample.gsm_base import AbstractGradSampleModule
from torch import Tensor, nn
from torch.func import vmap
from torch.nn.utils import vector_to_parameters

from training.privacy.clipping import PatientGradient, clipped, scaled
from training.privacy.engine import SLACK, Features, Labels, Loss, Owners, no_gradient

FAILURES = (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError)  # what Opacus fails with


class HooksEngine:
    """Clipped sums for one network from Opacus' per-record gradients."""

    def __init__(self, module: nn.Module, loss: Loss, clip: float) -> None:
        """As training.privacy.engine.PatientEngine. Raises ModelRefused `model.no-gradient`."""
        self._module = watched(GradSampleModule, module)
        self._losses = vmap(lambda output, label: loss(output[None], label[None]))
        self._clip = clip

    def clipped_sum(self, weights: Tensor, features: Features, labels: Labels, owners: Owners) -> Tensor:
        """As training.privacy.engine.PatientEngine.clipped_sum."""
        if not len(features):
            return torch.zeros_like(weights)
        vector_to_parameters(weights, self._module.parameters())
        try:
            losses = self._losses(self._module(torch.as_tensor(features)), torch.as_tensor(labels))
            torch.autograd.backward(losses.sum())
            records = torch.cat([parameter.grad_sample.flatten(1) for parameter in self._module.parameters()], 1)
            if len(records) != len(features):
                raise ValueError("a layer sees a record in parts")
        except FAILURES as error:
            raise no_gradient(error) from error
        self._module.zero_grad()
        return clipped(records, owners, self._clip)


class GhostEngine:
    """Clipped sums for one network by Opacus' ghost clipping."""

    def __init__(self, module: nn.Module, loss: Loss, clip: float) -> None:
        """As training.privacy.engine.PatientEngine. Raises ModelRefused `model.no-gradient`."""
        self._module = watched(GradSampleModuleFastGradientClipping, module)
        self._losses = vmap(lambda output, label: loss(output[None], label[None]))
        self._clip = clip
        self._patient = PatientGradient(module, loss)

    def clipped_sum(self, weights: Tensor, features: Features, labels: Labels, owners: Owners) -> Tensor:
        """As training.privacy.engine.PatientEngine.clipped_sum."""
        total, counts = torch.zeros_like(weights), np.bincount(owners)
        for patient in np.flatnonzero(counts > 1):
            own = owners == patient
            total += scaled(self._patient.mean(weights, features[own], labels[own]), self._clip)
        single = counts[owners] == 1
        features, labels = features[single], labels[single]
        while len(features):
            summed, norms = self._weighted(weights, features, labels)
            finite = torch.isfinite(norms).cpu().numpy()
            if finite.all():
                return total + summed
            features, labels = features[finite], labels[finite]
        return total

    def _weighted(self, weights: Tensor, features: Features, labels: Labels) -> tuple[Tensor, Tensor]:
        """The sum of the records' clipped gradients, and their norms before clipping."""
        vector_to_parameters(weights, self._module.parameters())
        try:
            losses = self._losses(self._module(torch.as_tensor(features)), torch.as_tensor(labels))
            torch.autograd.backward(losses.sum(), retain_graph=True)
            norms = self._module.get_norm_sample().detach()
            if len(norms) != len(features):
                raise ValueError("a layer sees a record in parts")
            self._module.zero_grad()
            self._module.disable_hooks()
            torch.autograd.backward(((self._clip / (norms + SLACK)).clamp(max=1.0) * losses).sum())
            total = torch.cat([parameter.grad.flatten() for parameter in self._module.parameters()])
        except FAILURES as error:
            raise no_gradient(error) from error
        self._module.enable_hooks()
        self._module.zero_grad()
        return total, norms


def watched(kind: type[AbstractGradSampleModule], module: nn.Module) -> AbstractGradSampleModule:
    """A copy of `module` in Opacus' hands. It must be training for Opacus to look; dropout stays off."""
    own = copy.deepcopy(module).train()
    for layer in own.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.eval()
    try:
        return kind(own, loss_reduction="sum")
    except FAILURES as error:
        raise no_gradient(error) from error
