"""Engines by name, behind one door: what trains a network is chosen once, where the network is described.

Each gives the same sum to float32's rounding (tests hold them against each other), so the choice is one of time and
memory: `covenant model engines` measures it. In front of each stand micro-batches, which bound the memory: patients are
taken some at a time and the sums added, before the noise, which is drawn once a step whatever the pieces. The account
knows nothing of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from training.errors import ModelRefused
from training.privacy.clipping import PatientGradient, scaled
from training.privacy.engine import Features, Labels, Loss, Owners, PatientEngine
from training.privacy.layerwise import LayerwiseEngine


class Engine(Protocol):
    def clipped_sum(self, weights: Tensor, features: Features, labels: Labels, owners: Owners) -> Tensor:
        """The sum over patients of clipped mean gradients, as training.privacy.engine.PatientEngine.clipped_sum."""


def torch_func(module: nn.Module, loss: Loss, clip: float) -> Engine:
    return PatientEngine(module, loss, clip)


def layerwise(module: nn.Module, loss: Loss, clip: float) -> Engine:
    return LayerwiseEngine(module, loss, clip)


def opacus_hooks(module: nn.Module, loss: Loss, clip: float) -> Engine:
    from training.privacy.opacus_engines import HooksEngine

    return HooksEngine(module, loss, clip)


def opacus_ghost(module: nn.Module, loss: Loss, clip: float) -> Engine:
    from training.privacy.opacus_engines import GhostEngine

    return GhostEngine(module, loss, clip)


ENGINES: dict[str, Callable[[nn.Module, Loss, float], Engine]] = {
    "torch.func": torch_func,
    "layerwise": layerwise,
    "opacus-hooks": opacus_hooks,
    "opacus-ghost": opacus_ghost,
}


def engine(name: str, module: nn.Module, loss: Loss, clip: float, rows: int, *, device: str = "cpu") -> Engine:
    """The engine `name` of ENGINES for `module`, taking at most `rows` records at a time, on `device`.

    Raises ModelRefused `model.engine`, `model.no-gradient`.
    """
    if name not in ENGINES:
        raise ModelRefused("model.engine", f"there is no engine of that name: use one of {', '.join(ENGINES)}")
    if device == "cpu":
        return MicroBatched(ENGINES[name](module, loss, clip), PatientGradient(module, loss, rows), clip, rows)
    own = copy.deepcopy(module).to(device)
    return OnDevice(MicroBatched(ENGINES[name](own, loss, clip), PatientGradient(own, loss, rows), clip, rows), device)


class OnDevice:
    """`engine`, whose network stands on `device`: what a call makes is made there, and the sum comes back.

    Products keep to float32: the shorter ones that a GPU would take for convolutions are a thousandth off.
    """

    def __init__(self, engine: Engine, device: str) -> None:
        self._engine, self._device = engine, torch.device(device)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False

    def clipped_sum(self, weights: Tensor, features: Features, labels: Labels, owners: Owners) -> Tensor:
        """As Engine.clipped_sum: takes and gives tensors of the processor."""
        with self._device:
            return self._engine.clipped_sum(weights.to(self._device), features, labels, owners).cpu()


class MicroBatched:
    """`engine`, never given more than `rows` records; a patient with more takes plain passes (`patient`)."""

    def __init__(self, engine: Engine, patient: PatientGradient, clip: float, rows: int) -> None:
        self._engine, self._patient = engine, patient
        self._clip, self._rows = clip, rows

    def clipped_sum(self, weights: Tensor, features: Features, labels: Labels, owners: Owners) -> Tensor:
        """As Engine.clipped_sum."""
        if len(features) <= self._rows:
            return self._engine.clipped_sum(weights, features, labels, owners)
        total = torch.zeros_like(weights)
        for places in self._pieces(owners):
            if len(places) > self._rows:
                mean = self._patient.mean(weights, features[places], labels[places])
                total += scaled(mean, self._clip)
            else:
                own = np.unique(owners[places], return_inverse=True)[1]
                total += self._engine.clipped_sum(weights, features[places], labels[places], own)
        return total

    def _pieces(self, owners: Owners) -> Iterator[Owners]:
        """The places of whole patients' records: as many as fit in `rows`, or one patient who does not."""
        order = np.argsort(owners, kind="stable")
        ends = np.cumsum(np.bincount(owners))
        start, taken = 0, 0
        for end in ends:
            if taken > start and end - start > self._rows:
                yield order[start:taken]
                start = taken
            taken = int(end)
        yield order[start:taken]
