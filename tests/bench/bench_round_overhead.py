"""What the platform costs a round: the demo's four hospitals, each its own process, against the same training alone.

    python tests/bench/bench_round_overhead.py DIR      # a demo that has finished: covenant demo --no-serve --dir DIR

Reads when each round opened and closed from the demo's own hub store, and times the very same training (same sizes,
features, plan) without ledger, gate and transport in this process, one hospital after the other. The machine's load is
printed beside it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from training.federation.aggregate import aggregate
from training.federation.studies import Plan
from training.models import registry
from training.site import heart, loader
from training.site.split import split
from training.site.stores import Records
from training.site.trainer import SiteTrainer

TARGET = 0.5  # seconds a round


def rounds(store: sqlite3.Connection) -> list[float]:
    """Seconds from opening to closing of each training round as the hub's mirror saw it, the first (cold) left out."""
    opened: dict[tuple[int, int], datetime] = {}
    seconds = []
    rows = store.execute("select name, body, seen from reactor_event where name like 'studies.%' order by block, id")
    for name, body, seen in rows:
        for key, record in json.loads(body)["records"].items():
            if not key.startswith("studies/round/") or record["kind"] != "training" or record["round"] == 1:
                continue
            place = (record["round"], record["attempt"])
            if name == "studies.opened":
                opened[place] = datetime.fromisoformat(seen)
            elif name == "studies.closed":
                seconds.append((datetime.fromisoformat(seen) - opened[place]).total_seconds())
    return seconds


def alone(plan: Plan) -> float:
    """Seconds that the same round takes as plain function calls."""
    with tempfile.TemporaryDirectory() as folder:
        files = heart.write_hospital_csvs(Path(folder))
        sites = [loader.load(file) for file in files.values()]
    parts = [site.of(split(site, 42).training) for site in sites]
    base, trainer = registry.initial_weights(plan.configuration, 42), SiteTrainer()
    batches = {dataset.hospital: float(dataset.expected_batch) for dataset in plan.datasets}

    def once() -> None:
        deltas = {
            name: trainer.train(base, Records(part.features, part.labels, np.arange(len(part))), plan, batch)
            for (name, batch), part in zip(batches.items(), parts, strict=True)
        }
        aggregate(base, deltas, plan.weights)

    once()
    started = time.perf_counter()
    for _ in range(5):
        once()
    return (time.perf_counter() - started) / 5


def main() -> None:
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "hub" / "store.sqlite3").exists():
        print("name a finished demo's directory: covenant demo --no-serve --dir DIR", file=sys.stderr)
        raise SystemExit(1)
    with sqlite3.connect(Path(sys.argv[1]) / "hub" / "store.sqlite3") as store:
        (body,) = store.execute("select body from reactor_record where key like 'studies/study/%'").fetchone()
        measured = rounds(store)
    plain = alone(msgspec.convert(json.loads(body)["plan"], Plan))
    whole = sum(measured) / len(measured)
    print(f"round_seconds: {whole:.3f} s (baseline the same training alone: {plain:.3f} s, ratio {whole / plain:.1f})")
    load = os.getloadavg()[0]
    print(f"round_overhead: {whole - plain:.3f} s (target {TARGET} s, {len(measured)} rounds, load {load:.1f})")


if __name__ == "__main__":
    main()
