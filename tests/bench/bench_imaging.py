"""What privacy and loading cost on images and volumes: a DP step against a plain step, and reading against the steps.

The DP step is the trainer's own, from sampling to the change of weights; the plain step is forward, backward and SGD on
a ready batch of the same expected size. All of a network trains in both. Opacus' hooks are printed beside, by the
project's own door. Loading is what a round does before its steps: a file read, checked and scaled, as it is where
nothing is kept in memory from the round before. All in one process, on one thread.

    python tests/bench/bench_imaging.py
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from training.models import chest, registry, volume
from training.models.description import Description
from training.models.measuring import alternately
from training.privacy.engines import engine as named
from training.privacy.events import PoissonSampledGaussian
from training.privacy.mechanism import Mechanism
from training.privacy.noise import Keystream
from training.site import images, volumes
from training.site.loader import Records
from training.site.trainer import Step, engine, group

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.claims import claim  # noqa: E402

LOADING = 0.2  # of the time that a round's steps take


def measure(described: Description, hidden: int, bound: float, patients: int, load: Callable[[], Records]) -> None:
    records = load()
    configuration = registry.configuration(described.defaults.configuration() | {"hidden": hidden, "frozen": ()})
    network, clip, q = registry.build(configuration), float(described.defaults.clip), float(described.defaults.q)
    batch = round(patients * q)
    rows = torch.from_numpy(records.features[:batch])
    truth = torch.from_numpy(records.labels[:batch].astype(np.int64))
    sgd = torch.optim.SGD(network.module.parameters(), lr=0.1)

    def plain() -> None:
        sgd.zero_grad()
        network.loss(network.module(rows), truth).backward()
        sgd.step()

    mechanism, stream = Mechanism(PoissonSampledGaussian(2.0, q, 1), clip, 1e-4, 1), Keystream()
    moving = registry.trained(configuration)
    grouped = group(records.features, records.labels, records.owners, 1)
    weights = registry.initial_weights(configuration, 1).astype(np.float64)
    ours = Step(engine(configuration, clip, "cpu"), mechanism, 0.1 / batch, moving, stream)
    hooks = named("opacus-hooks", network.module, network.loss, clip, described.rows)
    theirs = Step(hooks, mechanism, 0.1 / batch, moving, stream)
    steps = {
        "plain": plain,
        "dp": lambda: ours.change(weights, grouped),
        "opacus": lambda: theirs.change(weights, grouped),
        "load": load,
    }
    took = alternately(steps, seconds=0.3)
    ratio, beside, name = (
        took["dp"] / took["plain"],
        took["opacus"] / took["plain"],
        f"{described.model}, hidden {hidden}",
    )
    claim(f"DP step, {name}", ratio, "plain steps", at_most=bound,
          baseline=("Opacus' hooks in plain steps", beside))  # fmt: skip
    print(f"DP step, {name}, batch {batch}: {took['dp'] * 1e3:.1f} ms "
          f"(baseline plain step: {took['plain'] * 1e3:.1f} ms, ratio {ratio:.2f}; Opacus' hooks {beside:.2f}), "
          f"bound {bound}: {'ok' if ratio <= bound else 'MISSED'}")  # fmt: skip
    share = took["load"] / (described.defaults.local_steps * took["dp"])
    claim(f"loading, {name}", share, "of a round's steps", at_most=LOADING, baseline=("a round's steps", 1.0))
    print(f"loading {patients} records, {name}: {took['load'] * 1e3:.1f} ms (baseline a round's steps: "
          f"{described.defaults.local_steps * took['dp'] * 1e3:.1f} ms, ratio {share:.3f}), "
          f"bound {LOADING}: {'ok' if share <= LOADING else 'MISSED'}")  # fmt: skip


def main() -> None:
    warnings.simplefilter("ignore")
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        flat, deep = Path(folder) / "flat.npz", Path(folder) / "deep.volumes.npz"
        people = [f"p{place}" for place in range(640)]
        pixels = random.integers(0, 256, (640, images.SIDE, images.SIDE)).astype(np.uint8)
        images.write(flat, people, pixels, random.integers(0, 2, 640).astype(np.uint8))
        for hidden in (4, chest.DEFAULTS.hidden):
            measure(chest.DESCRIPTION, hidden, 2.0, 640, lambda: images.load(flat))
        masks = random.integers(0, 2, (80, *volume.LABEL)).astype(np.uint8)
        volumes.write(deep, people[:80], masks * 200, masks)
        measure(volume.DESCRIPTION, volume.DEFAULTS.hidden, 1.3, 80, lambda: volumes.load(deep))


if __name__ == "__main__":
    main()
