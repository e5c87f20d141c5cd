"""How well the survival network ranks patients of three hospitals, under privacy and without, beside chance.

The trainer, the noise and the aggregation are the project's own; only ledger, gate and transport are left out. Exact
figures exist here alone, on public data (Heart Failure Clinical Records, 299 patients dealt out to three hospitals).
Judged by Harrell's concordance: of two held-out patients of whom one is known to have died first, how often that one's
risk was higher.

    python tests/bench/bench_survival.py
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from training.federation.aggregate import aggregate
from training.models import failure as network
from training.models import registry
from training.models.failure import DEFAULTS
from training.models.weights import Weights
from training.privacy.calibration import sigma_for
from training.site import failure
from training.site.loader import Records
from training.site.split import split
from training.site.trainer import engine, train

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.claims import claim  # noqa: E402

HOSPITALS = 3
SEEDS = range(200, 206)
WORSE = 0.05  # of concordance, at epsilon 5
CONFIGURATION = DEFAULTS.configuration()


def private(model: Weights, records: Records, sigma: str) -> Weights:
    privacy = {
        "clip": DEFAULTS.clip, "sigma": sigma, "q": DEFAULTS.q, "steps": DEFAULTS.local_steps,
        "delta": DEFAULTS.delta, "records_per_patient": 1, "unit": "patient",
    }  # fmt: skip
    expected = float(DEFAULTS.q) * len(records)
    return train(model, records.features, records.labels, records.owners, privacy, CONFIGURATION, expected)


def plain(model: Weights, records: Records) -> Weights:
    """The same steps over all records, without clipping and noise."""
    unbounded = engine(registry.configuration(CONFIGURATION), 1e30)
    moved = torch.from_numpy(model.copy())
    for _ in range(DEFAULTS.local_steps):
        gradient = unbounded.clipped_sum(moved, records.features, records.labels, records.owners) / len(records)
        moved = moved - float(DEFAULTS.learning_rate) * gradient
    return (moved - torch.from_numpy(model)).numpy()


def study(hospitals: list[Records], seed: int, sigma: str | None) -> Weights:
    model, ones = registry.initial_weights(CONFIGURATION, seed), {str(place): 1 for place in range(HOSPITALS)}
    for _ in range(DEFAULTS.rounds):
        deltas = {
            str(place): plain(model, records) if sigma is None else private(model, records, sigma)
            for place, records in enumerate(hospitals)
        }
        model = aggregate(model, deltas, ones)
    return model


def concordance(model: Weights, records: Records, seen: dict[str, tuple[float, bool]]) -> float:
    built = registry.build(CONFIGURATION)
    built.take(model)
    with torch.inference_mode():
        hazards = torch.sigmoid(built.module(torch.from_numpy(records.features))[:, : network.HORIZON])
        risks = -(1 - hazards).log().sum(1).numpy()
    times, events = (np.array(values) for values in zip(*(seen[name] for name in records.patients), strict=True))
    earlier = events[:, None] & (times[:, None] < times[None])
    right = (risks[:, None] > risks[None]) + 0.5 * (risks[:, None] == risks[None])
    return float(right[earlier].mean())


def main() -> None:
    seen: dict[str, tuple[float, bool]] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = failure.write_csvs(Path(folder), HOSPITALS)
        hospitals = [failure.load(path) for path in paths]
        for path in paths:
            with path.open(encoding="utf-8", newline="") as file:
                seen |= {row["id"]: (float(row["time"]), row["DEATH_EVENT"] == "1") for row in csv.DictReader(file)}
    steps = DEFAULTS.rounds * DEFAULTS.local_steps
    noises: dict[str, str | None] = {"none": None}
    noises |= {epsilon: sigma_for(epsilon, DEFAULTS.delta, DEFAULTS.q, steps, []) for epsilon in ("5", "1")}
    found: dict[str, list[float]] = {epsilon: [] for epsilon in noises}
    for seed in SEEDS:
        parts = [(records, split(records, seed)) for records in hospitals]
        training = [records.of(part.training) for records, part in parts]
        held_out = [records.of(part.held_out) for records, part in parts]
        for epsilon, sigma in noises.items():
            model = study(training, seed, sigma)
            found[epsilon].append(float(np.mean([concordance(model, records, seen) for records in held_out])))
    means = {epsilon: float(np.mean(values)) for epsilon, values in found.items()}
    for epsilon, least in (("5", means["none"] - WORSE), ("1", 0.5)):
        claim(f"concordance of survival, {HOSPITALS} hospitals, epsilon {epsilon}", means[epsilon], "mean of seeds",
              at_least=least, baseline=("without privacy", means["none"]))  # fmt: skip
        verdict = "ok" if means[epsilon] >= least else "MISSED"
        print(f"concordance at epsilon {epsilon}: {means[epsilon]:.3f} over {len(SEEDS)} splits "
              f"(baseline without privacy: {means['none']:.3f}, ratio {means[epsilon] / means['none']:.3f}), "
              f"bound {least:.3f}: {verdict}")  # fmt: skip


if __name__ == "__main__":
    main()
