"""What privacy costs on a large network, MONAI's DenseNet121 with group normalisation: time and memory of a step.

No plan names this network; it stands for those of millions of weights. The DP step is the trainer's own, from sampling
to the change of weights; the plain step is forward, backward and SGD on a ready batch of the same expected size.
Opacus' ghost clipping, which takes least memory of its ways, is printed beside by the project's own door. Time: all in
one process, on one thread. Memory: the peak of a process that does nothing else, less what it held before the network.

    python tests/bench/bench_densenet121.py
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from monai.networks.nets import DenseNet121
from torch import nn
from torch.nn.utils import parameters_to_vector

from training.models.measuring import alternately
from training.privacy.engines import engine
from training.privacy.events import PoissonSampledGaussian
from training.privacy.mechanism import Mechanism
from training.privacy.noise import Keystream
from training.site.trainer import Step, group

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.claims import claim  # noqa: E402

BATCH, SIDE = 16, 128  # images, and pixels on a side
PATIENTS, CLIP = 64, 1.0
ROWS = 8  # images that the engines take at a time, which bounds their memory
TIME, MEMORY = 2.3, 2.0  # plain steps
WAYS = {"dp": "layerwise", "opacus": "opacus-ghost"}


def step(way: str) -> Callable[[], object]:
    """A step of the network in one of the ways: plain, dp, opacus."""
    random = np.random.default_rng(0)
    pixels = random.normal(size=(PATIENTS, 1, SIDE, SIDE)).astype(np.float32)
    labels = random.integers(0, 2, PATIENTS)
    module = DenseNet121(spatial_dims=2, in_channels=1, out_channels=2, norm=("group", {"num_groups": 8}))
    for each in module.modules():
        if isinstance(each, nn.ReLU):
            each.inplace = False
    loss = nn.CrossEntropyLoss()
    if way == "plain":
        rows, truth = torch.from_numpy(pixels[:BATCH]), torch.from_numpy(labels[:BATCH])
        sgd = torch.optim.SGD(module.parameters(), lr=0.1)

        def plain() -> None:
            sgd.zero_grad()
            loss(module(rows), truth).backward()
            sgd.step()

        return plain
    weights = parameters_to_vector(module.parameters()).detach().numpy().astype(np.float64)
    mechanism = Mechanism(PoissonSampledGaussian(2.0, BATCH / PATIENTS, 1), CLIP, 1e-4, 1)
    taken = Step(
        engine(WAYS[way], module, loss, CLIP, ROWS), mechanism, 0.1 / BATCH, np.ones(len(weights), bool), Keystream()
    )
    grouped = group(pixels, labels, np.arange(PATIENTS), 1)
    return lambda: taken.change(weights, grouped)


def peak(way: str) -> float:
    """MB that a process needs for steps of this way, beyond what it holds before the network is made."""
    command = [sys.executable, __file__, way]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def needed(way: str) -> None:
    before = highest()
    one = step(way)
    for _ in range(3):
        one()
    print(highest() - before)


def highest() -> float:
    """MB that this process has held at most: Linux tells since the program began, not since the fork before it."""
    told = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return float(told.split()[1]) / 1e3


def main() -> None:
    took = alternately({way: step(way) for way in ("plain", *WAYS)}, seconds=1.0)
    ratio, beside = took["dp"] / took["plain"], took["opacus"] / took["plain"]
    claim("DP step, DenseNet121", ratio, "plain steps", at_most=TIME, baseline=("Opacus' ghost in plain steps", beside))
    print(f"DP step, DenseNet121, batch {BATCH} of {SIDE} x {SIDE}: {took['dp'] * 1e3:.0f} ms (baseline plain step: "
          f"{took['plain'] * 1e3:.0f} ms, ratio {ratio:.2f}; Opacus' ghost {beside:.2f}), "
          f"bound {TIME}: {'ok' if ratio <= TIME else 'MISSED'}")  # fmt: skip
    held = {way: peak(way) for way in ("plain", *WAYS)}
    ratio, beside = held["dp"] / held["plain"], held["opacus"] / held["plain"]
    claim("memory, DenseNet121", ratio, "of a plain step's", at_most=MEMORY, baseline=("Opacus' ghost", beside))
    print(f"memory, DenseNet121: {held['dp']:.0f} MB (baseline plain step: {held['plain']:.0f} MB, ratio {ratio:.2f}; "
          f"Opacus' ghost {beside:.2f}), bound {MEMORY}: {'ok' if ratio <= MEMORY else 'MISSED'}")  # fmt: skip


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    needed(sys.argv[1]) if len(sys.argv) > 1 else main()
