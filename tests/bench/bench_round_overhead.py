"""What the platform costs a round: four hospitals, each its own processes, against the same training alone.

    python tests/bench/bench_round_overhead.py [DIR]

Without DIR it runs `covenant demo` (740 patients) in a directory of its own first, which takes about a minute, and also
measures the CPU time of everything that runs for the demo, which other work on the machine disturbs less; with DIR it
reads a demo that has finished. A round lasts from the close of the one before to its own, as the hub's mirror saw them;
the first round and the one that waits for a patient to withdraw are left out. The baseline is the very same training
(sizes, features, plan) as function calls in this process, one hospital after the other.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import mean, median

import msgspec
import numpy as np
import psutil

from training.federation.aggregate import aggregate
from training.federation.studies import Plan
from training.models import registry
from training.site import heart, loader
from training.site.split import split
from training.site.stores import Records
from training.site.trainer import SiteTrainer

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.claims import claim  # noqa: E402

TARGETS = {"embedded": 0.5, "fabric": 1.5}  # seconds a round
PORTS = 80  # of a demo, with those of a Fabric network
ROUNDS = 12  # the demo's own number
HELD_AFTER = ROUNDS // 3  # the demo's patient withdraws between this round and the next
FIRST_PAGE, WHOLE = 60.0, 300.0  # seconds of a demo, once installed
EVERY = 0.5  # seconds between two looks at the CPU time used
REPOSITORY = Path(__file__).parents[2]


def run_demo(directory: Path, ledger: str) -> list[tuple[float, float]]:
    """Run a demo to its end; (epoch seconds, CPU seconds that its processes had used by then), every so often."""
    port = str(free_ports(PORTS))
    command = [sys.executable, "covenant.py", "demo", "--dir", str(directory), "--port", port, "--no-serve"]
    command += ["--rounds", str(ROUNDS), "--ledger", ledger]
    with (directory.parent / "demo.log").open("wb") as log:
        demo = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log)
    used: list[tuple[float, float]] = []
    spent: dict[int, float] = {}
    try:
        while demo.poll() is None:
            for process in family(demo.pid):
                spent[process.pid] = busy(process, spent.get(process.pid, 0.0))
            used.append((time.time(), sum(spent.values())))
            time.sleep(EVERY)
    finally:
        demo.terminate()
        demo.wait(30)
    if demo.returncode:
        print((directory.parent / "demo.log").read_text(errors="replace")[-2000:], file=sys.stderr)
        raise SystemExit(1)
    return used


def family(pid: int) -> list[psutil.Process]:
    try:
        demo = psutil.Process(pid)
        return [demo, *demo.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def busy(process: psutil.Process, before: float) -> float:
    """CPU seconds that `process` has used; as `before` where it has ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return before
    return float(times.user + times.system)


def free_ports(count: int) -> int:
    """The first of `count` neighbouring ports on loopback that nothing listens on."""
    for first in range(21000, 31000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for place, probe in enumerate(sockets):
                probe.bind(("127.0.0.1", first + place))
        except OSError:
            continue
        else:
            return first
        finally:
            for probe in sockets:
                probe.close()
    raise SystemExit(1)


def closes(store: sqlite3.Connection) -> dict[int, float]:
    """Training round -> epoch seconds when the hub's mirror saw it closed."""
    seen = {}
    rows = store.execute("select body, seen from reactor_event where name = 'studies.closed' order by block, id")
    for body, moment in rows:
        for key, record in json.loads(body)["records"].items():
            if key.startswith("studies/round/") and record["kind"] == "training":
                seen[record["round"]] = datetime.fromisoformat(moment + "+00:00").timestamp()
    return seen


def rounds(closed: dict[int, float]) -> list[float]:
    """Seconds of each round, from the close before to its own."""
    return [closed[n] - closed[n - 1] for n in sorted(closed) if n > 1 and n != HELD_AFTER + 1]


def cpu_a_round(used: list[tuple[float, float]], closed: dict[int, float]) -> float:
    """CPU seconds a round, over the rounds after the withdrawal."""
    first, last = HELD_AFTER + 1, max(closed)
    moments, spent = zip(*used, strict=True)
    at = np.interp([closed[first], closed[last]], moments, spent)
    return float(at[1] - at[0]) / (last - first)


def alone(plan: Plan) -> tuple[float, float]:
    """Seconds, and CPU seconds, that the same round takes as plain function calls."""
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

    for _ in range(3):
        once()
    started, used = time.perf_counter(), time.process_time()
    for _ in range(10):
        once()
    return (time.perf_counter() - started) / 10, (time.process_time() - used) / 10


def main(ledger: str = "embedded") -> None:
    if len(sys.argv) > 1:
        report(Path(sys.argv[1]), [], ledger)
        return
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "demo"
        report(directory, run_demo(directory, ledger), ledger)


def report(directory: Path, used: list[tuple[float, float]], ledger: str) -> None:
    target = TARGETS[ledger]
    load = os.getloadavg()[0]
    file = directory / "hub" / "store.sqlite3"
    if not file.exists():
        print(f"{directory} holds no finished demo: covenant demo --no-serve --dir DIR", file=sys.stderr)
        raise SystemExit(1)
    store = sqlite3.connect(file)
    (body,) = store.execute("select body from reactor_record where key like 'studies/study/%'").fetchone()
    closed = closes(store)
    store.close()
    plain, plain_cpu = alone(msgspec.convert(json.loads(body)["plan"], Plan))
    lasted = rounds(closed)
    whole = median(lasted)
    print(f"round: {whole:.3f} s (baseline the same training alone: {plain:.3f} s, ratio {whole / plain:.1f})")
    print(
        f"round overhead: {whole - plain:.3f} s (baseline target: {target} s, ratio {(whole - plain) / target:.2f}); "
        f"median of {len(lasted)}, lowest {min(lasted):.3f}, mean {mean(lasted):.3f}, highest {max(lasted):.3f}; "
        f"load {load:.1f} on {os.cpu_count()} cores"
    )
    claim(f"round overhead, {ledger}", whole - plain, "s", at_most=target, baseline=("the same training alone", plain))
    if ledger == "embedded":
        seconds = json.loads((directory / "out" / "report.json").read_text())["seconds"]
        first, took, trained = seconds["by_step"]["start"], seconds["total"], seconds["by_step"]["rounds"]
        print(f"demo: first page after {first} s, done after {took} s (baseline its rounds: {trained} s)")
        claim("demo, first page", first, "s", at_most=FIRST_PAGE, baseline=("the whole demo", took))
        claim("demo, whole", took, "s", at_most=WHOLE, baseline=("its rounds", trained))
    if used:
        cpu = cpu_a_round(used, closed)
        ratio = cpu / plain_cpu
        print(f"round, CPU of all: {cpu:.3f} CPU s (baseline training alone: {plain_cpu:.3f} CPU s, ratio {ratio:.1f})")


if __name__ == "__main__":
    main()
