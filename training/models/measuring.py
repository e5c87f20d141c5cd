"""How long each engine takes for each network that a plan may name, beside one plain step of the same batch."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from training.errors import ModelRefused
from training.models import registry
from training.models.description import Description
from training.models.networks import Network
from training.privacy.engines import ENGINES, engine

BATCH = 64
BLOCKS = 5


@dataclass(frozen=True, slots=True)
class Times:
    """One network's: `plain` in seconds, `engines` as multiples of it; None where an engine cannot take the network."""

    described: Description
    weights: int
    plain: float
    engines: dict[str, float | None]

    @property
    def fastest(self) -> str:
        taken = {name: ratio for name, ratio in self.engines.items() if ratio is not None}
        return min(taken, key=lambda name: taken[name])

    @property
    def verdict(self) -> str:
        chosen = self.described.engine
        if chosen == self.fastest:
            return f"{chosen}, the fastest here"
        return f"{chosen}; {self.fastest} is faster here"


def measured(names: Iterable[str]) -> list[Times]:
    """The times of the networks `names` by default, all of them training. Raises ModelRefused `model.unknown`."""
    return [_measured(known(name)) for name in names]


def known(name: str) -> Description:
    if name not in registry.DESCRIPTIONS:
        raise ModelRefused("model.unknown", f"there is no network of that name: use {', '.join(registry.DESCRIPTIONS)}")
    return registry.DESCRIPTIONS[name]


def _measured(described: Description) -> Times:
    network = registry.build(described.defaults.configuration() | {"frozen": ()})  # an engine is chosen for all of it
    random = np.random.default_rng(0)
    batch = min(BATCH, described.rows)
    features = random.normal(size=(batch, *described.record)).astype(np.float32)
    labels, owners = random.integers(0, described.classes, (batch, *described.label)), np.arange(batch)
    weights = torch.from_numpy(network.give())
    steps: dict[str, Callable[[], object]] = {"plain": _plain(network, features, labels)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Opacus' hooks fire though no input needs a gradient: as they should
        for name in ENGINES:
            try:
                tried = engine(name, network.module, network.loss, 1.0, described.rows)
                tried.clipped_sum(weights, features, labels, owners)
            except ModelRefused:
                continue
            steps[name] = lambda tried=tried: tried.clipped_sum(weights, features, labels, owners)  # type: ignore[misc]
        took = alternately(steps)
    ratios = {name: took[name] / took["plain"] if name in took else None for name in ENGINES}
    return Times(described, len(weights), took["plain"], ratios)


def _plain(network: Network, features: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    rows, targets = torch.from_numpy(features), torch.from_numpy(labels)
    parameters = list(network.module.parameters())
    return lambda: torch.autograd.grad(network.loss(network.module(rows), targets), parameters)


def alternately(steps: dict[str, Callable[[], object]], seconds: float = 0.2) -> dict[str, float]:
    """The median CPU seconds of each step, taken in turns: what else runs on the machine counts as little as it can."""
    calls, times = {}, dict[str, list[float]]()
    for name, step in steps.items():
        step()
        start = time.thread_time()
        step()
        calls[name] = max(1, round(seconds / max(time.thread_time() - start, 1e-6)))
    for _ in range(BLOCKS):
        for name, step in steps.items():
            start = time.thread_time()
            for _ in range(calls[name]):
                step()
            times.setdefault(name, []).append((time.thread_time() - start) / calls[name])
    return {name: statistics.median(values) for name, values in times.items()}
