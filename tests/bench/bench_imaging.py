"""What privacy and loading cost on images and volumes: a DP step against a plain step, and reading against the steps.

Two plans of each network: the one that its studies start from, and the one in which all weights train. The DP step is
the trainer's own, from sampling to the change of weights; the plain step is forward, backward and SGD on a ready batch
of the same expected size, of the same weights. Opacus is printed beside: its hooks, and its optimizer. Loading is what
a round does before its steps: a file read, checked and scaled, as it is where nothing is kept in memory from the round
before. All in one process, on one thread.

    python tests/bench/bench_imaging.py
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import torch
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer

from training.models import chest, registry, volume
from training.models.description import Configuration, Description
from training.models.measuring import alternately
from training.models.networks import Network
from training.privacy.events import PoissonSampledGaussian
from training.privacy.mechanism import Mechanism
from training.privacy.noise import Keystream
from training.site import images, volumes
from training.site.loader import Records
from training.site.trainer import Step, engine, group

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.claims import claim  # noqa: E402

LOADING = 0.2  # of the time that a round's steps take


def measure(described: Description, bound: float, patients: int, load: Callable[[], Records], **other: object) -> None:
    """`other`: what of the plan is not as it is by default."""
    records = load()
    configuration = registry.configuration(described.defaults.configuration() | other)
    clip, q = float(described.defaults.clip), float(described.defaults.q)
    batch = round(patients * q)
    rows = torch.from_numpy(records.features[:batch])
    truth = torch.from_numpy(records.labels[:batch].astype(np.int64))
    mechanism, moving = Mechanism(PoissonSampledGaussian(2.0, q, 1), clip, 1e-4, 1), registry.trained(configuration)
    ours = Step(engine(configuration, clip, "cpu"), mechanism, 0.1 / batch, moving, Keystream())
    grouped = group(records.features, records.labels, records.owners, 1)
    weights = registry.initial_weights(configuration, 1).astype(np.float64)
    took = alternately(
        {
            "plain": plain(configuration, rows, truth),
            "dp": lambda: ours.change(weights, grouped),
            "opacus": opacus(configuration, rows, truth, clip),
            "load": load,
        },
        seconds=1.0,  # many steps: Poisson samples differ in size
    )
    ratio, beside = took["dp"] / took["plain"], took["opacus"] / took["plain"]
    name = f"{described.model}, hidden {configuration.hidden}, {moving.sum()} of {len(moving)} weights train"
    claim(f"DP step, {name}", ratio, "plain steps", at_most=bound, baseline=("Opacus in plain steps", beside))
    print(f"DP step, {name}, batch {batch}: {took['dp'] * 1e3:.1f} ms "
          f"(baseline plain step: {took['plain'] * 1e3:.1f} ms, ratio {ratio:.2f}; Opacus {beside:.2f}), "
          f"bound {bound}: {'ok' if ratio <= bound else 'MISSED'}")  # fmt: skip
    steps = configuration.local_steps * took["dp"]
    share = took["load"] / steps
    claim(f"loading, {name}", share, "of a round's steps", at_most=LOADING, baseline=("a round's steps", 1.0))
    print(f"loading {patients} records, {name}: {took['load'] * 1e3:.1f} ms (baseline a round's steps: "
          f"{steps * 1e3:.1f} ms, ratio {share:.3f}), "
          f"bound {LOADING}: {'ok' if share <= LOADING else 'MISSED'}")  # fmt: skip


def trainable(configuration: Configuration) -> Network:
    """The network, its frozen weights as plain training freezes them."""
    network = registry.build(msgspec.structs.replace(configuration, frozen=()))
    for name, parameter in network.module.named_parameters():
        parameter.requires_grad_(not name.startswith(configuration.frozen))
    return network


def plain(configuration: Configuration, rows: torch.Tensor, truth: torch.Tensor) -> Callable[[], None]:
    network = trainable(configuration)
    sgd = torch.optim.SGD([each for each in network.module.parameters() if each.requires_grad], lr=0.1)

    def step() -> None:
        sgd.zero_grad()
        network.loss(network.module(rows), truth).backward()
        sgd.step()

    return step


def opacus(configuration: Configuration, rows: torch.Tensor, truth: torch.Tensor, clip: float) -> Callable[[], None]:
    network = trainable(configuration)
    module = GradSampleModule(network.module.train())
    sgd = torch.optim.SGD([each for each in module.parameters() if each.requires_grad], lr=0.1)
    private = DPOptimizer(sgd, noise_multiplier=2.0, max_grad_norm=clip, expected_batch_size=len(rows))

    def step() -> None:
        private.zero_grad()
        network.loss(module(rows), truth).backward()
        private.step()

    return step


def main() -> None:
    warnings.simplefilter("ignore")
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        flat, deep = Path(folder) / "flat.npz", Path(folder) / "deep.volumes.npz"
        people = [f"p{place}" for place in range(640)]
        pixels = random.integers(0, 256, (640, images.SIDE, images.SIDE)).astype(np.uint8)
        images.write(flat, people, pixels, random.integers(0, 2, 640).astype(np.uint8))
        for other in ({}, {"frozen": ()}, {"frozen": (), "hidden": 4}):
            measure(chest.DESCRIPTION, 2.0, 640, lambda: images.load(flat), **other)
        masks = random.integers(0, 2, (80, *volume.LABEL)).astype(np.uint8)
        volumes.write(deep, people[:80], masks * 200, masks)
        measure(volume.DESCRIPTION, 1.3, 80, lambda: volumes.load(deep))  # all weights train by default


if __name__ == "__main__":
    main()
