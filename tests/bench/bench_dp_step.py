"""What privacy costs in time: one DP step on the tabular network against one plain step, Opacus beside.

All three see the same expected batch. The DP step is the trainer's own, from sampling to the change of weights: secret
sample, per-patient gradients, clipping, noise. The plain step is forward, backward and SGD on a ready batch.

    python tests/bench/bench_dp_step.py
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer

from training.models import registry
from training.models.heart import DEFAULTS
from training.privacy.events import PoissonSampledGaussian
from training.privacy.mechanism import Mechanism
from training.privacy.noise import Keystream
from training.site.trainer import Step, engine, group

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.claims import claim  # noqa: E402

PATIENTS = 200  # Cleveland's
BATCH = round(PATIENTS * float(DEFAULTS.q))
BOUND = 2.0


def alternately(steps: dict[str, Callable[[], object]], blocks: int = 12, calls: int = 50) -> dict[str, float]:
    """The median CPU microseconds of each, in turns: what else runs on the machine counts as little as it can."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(blocks):
        for name, step in steps.items():
            start = time.thread_time()
            for _ in range(calls):
                step()
            times[name].append((time.thread_time() - start) / calls * 1e6)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def measure(hidden: int) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(PATIENTS, 13)).astype(np.float32)
    labels = random.integers(0, 2, PATIENTS)
    configuration = registry.configuration(DEFAULTS.configuration() | {"hidden": hidden})
    rows, targets = torch.from_numpy(features[:BATCH]), torch.from_numpy(labels[:BATCH])

    network = registry.build(configuration)
    sgd = torch.optim.SGD(network.module.parameters(), lr=0.1)

    def plain() -> None:
        sgd.zero_grad()
        network.loss(network.module(rows), targets).backward()
        sgd.step()

    clip = float(DEFAULTS.clip)
    mechanism = Mechanism(PoissonSampledGaussian(2.0, float(DEFAULTS.q), 1), clip, 1e-4, 1)
    ours = Step(
        engine(configuration, clip, "cpu"), mechanism, 0.1 / BATCH, registry.trained(configuration), Keystream()
    )
    patients = group(features, labels, np.arange(PATIENTS), 1)
    weights = registry.initial_weights(configuration, 1).astype(np.float64)

    other = registry.build(configuration)
    module = GradSampleModule(other.module.train())
    private = DPOptimizer(
        torch.optim.SGD(module.parameters(), lr=0.1),
        noise_multiplier=2.0,
        max_grad_norm=clip,
        expected_batch_size=BATCH,
    )

    def opacus() -> None:
        private.zero_grad()
        other.loss(module(rows), targets).backward()
        private.step()

    took = alternately({"plain": plain, "dp": lambda: ours.change(weights, patients), "opacus": opacus})
    ratio = took["dp"] / took["plain"]
    verdict = "ok" if ratio <= BOUND else "MISSED"
    claim(f"DP step, hidden {hidden}", ratio, "plain steps", at_most=BOUND,
          baseline=("Opacus in plain steps", took["opacus"] / took["plain"]))  # fmt: skip
    name = f"DP step, hidden {hidden}, batch {BATCH}"
    print(f"{name}: {took['dp']:.0f} us (baseline plain step: {took['plain']:.0f} us, ratio {ratio:.2f}), "
          f"bound {BOUND}: {verdict}")  # fmt: skip
    print(f"{name}, Opacus: {took['opacus']:.0f} us (baseline plain step: {took['plain']:.0f} us, "
          f"ratio {took['opacus'] / took['plain']:.2f})")  # fmt: skip


def main() -> None:
    warnings.simplefilter("ignore")
    for hidden in (DEFAULTS.hidden, 4, 64):
        measure(hidden)


if __name__ == "__main__":
    main()
