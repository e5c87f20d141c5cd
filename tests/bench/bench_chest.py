"""How good the image model gets at three hospitals with noise of their own, beside one hospital with all the images.

The trainer, the noise, the engine and the aggregation are the project's own; only ledger, gate and transport are left
out. Exact figures exist here alone, on public data (PneumoniaMNIST, which names no patients: the unit is an image).
The product does not carry the file: name it.

    python tests/bench/bench_chest.py FILE        # or COVENANT_CHEST=FILE
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from training.federation.aggregate import aggregate
from training.federation.schedule import share
from training.models import registry
from training.models.chest import DEFAULTS
from training.models.weights import Weights
from training.privacy.calibration import sigma_for
from training.site import chest, images
from training.site.arrays import grey
from training.site.loader import Records
from training.site.trainer import train

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.claims import claim  # noqa: E402

HOSPITALS = 3
SEEDS = range(5)
EPSILONS = ("3", "1")
WORSE = 0.03  # of AUC
CONFIGURATION = DEFAULTS.configuration()


def privacy(epsilon: str) -> dict[str, str | int]:
    steps = DEFAULTS.rounds * DEFAULTS.local_steps
    return {
        "clip": DEFAULTS.clip, "sigma": sigma_for(epsilon, DEFAULTS.delta, DEFAULTS.q, steps, []), "q": DEFAULTS.q,
        "steps": DEFAULTS.local_steps, "delta": DEFAULTS.delta, "records_per_patient": 1, "unit": "patient",
    }  # fmt: skip


def study(hospitals: list[Records], plan: dict[str, str | int], seed: int) -> Weights:
    """The model after one study; weights and expected batch follow from each hospital's number of images."""
    model = registry.initial_weights(CONFIGURATION, seed)
    weights = {str(place): len(records) for place, records in enumerate(hospitals)}
    for number in range(1, DEFAULTS.rounds + 1):
        rate = float(DEFAULTS.learning_rate) * share(DEFAULTS.schedule, number, DEFAULTS.rounds)
        configuration = CONFIGURATION | {"learning_rate": repr(rate), "schedule": "constant"}
        deltas = {
            str(place): train(
                model, records.features, records.labels, records.owners, plan, configuration,
                float(DEFAULTS.q) * len(records),
            )
            for place, records in enumerate(hospitals)
        }  # fmt: skip
        model = aggregate(model, deltas, weights)
    return model


def auc(model: Weights, pixels: np.ndarray, labels: np.ndarray) -> float:
    network = registry.build(CONFIGURATION)
    network.take(model)
    with torch.inference_mode():
        scores = network.module(torch.from_numpy(pixels))[:, 0].numpy()
    return float(roc_auc_score(labels, scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", default=os.environ.get("COVENANT_CHEST"))
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    asked = parser.parse_args()
    if not asked.file:
        print("no file is named: python tests/bench/bench_chest.py FILE, or COVENANT_CHEST=FILE (medmnist fetches it)")
        return
    with tempfile.TemporaryDirectory() as folder:
        shared = [images.load(path) for path in chest.share(Path(asked.file), Path(folder) / "shared", HOSPITALS)]
        whole = [images.load(path) for path in chest.share(Path(asked.file), Path(folder) / "whole", 1)]
    pixels, labels = chest.read(Path(asked.file), "test")
    held_out = grey(pixels)
    for epsilon in EPSILONS:
        plan = privacy(epsilon)
        began = time.perf_counter()
        found = {
            name: np.array([auc(study(data, plan, seed), held_out, labels) for seed in range(asked.seeds)])
            for name, data in (("one hospital", whole), ("three hospitals", shared))
        }
        alone, together = (values.mean() for values in found.values())
        claim(f"AUC chest, {HOSPITALS} hospitals, epsilon {epsilon}", together, "mean of seeds",
              at_least=alone - WORSE, baseline=("one hospital with all images", alone))  # fmt: skip
        print(f"AUC at epsilon {epsilon}, delta {DEFAULTS.delta}, unit image, {asked.seeds} seeds: three hospitals "
              f"{together:.4f} (baseline one hospital with all the images: {alone:.4f}, ratio {together / alone:.3f}), "
              f"bound -{WORSE}: {'ok' if together >= alone - WORSE else 'MISSED'}; sigma {plan['sigma']}; "
              f"{time.perf_counter() - began:.0f} s")  # fmt: skip
        for name, values in found.items():
            print(f"  {name}: " + ", ".join(f"{value:.4f}" for value in values))


if __name__ == "__main__":
    main()
