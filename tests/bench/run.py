"""Every benchmark, each in a process of its own, then one table: claim, bound, measured, baseline, ratio, met or not.

    python tests/bench/run.py [--ledger fabric] [NAME ...]

NAME: such as verify, for tests/bench/bench_verify.py; default all that need no Fabric network, with `--ledger fabric`
those that measure one.

A claim that is missed on this machine is printed as missed; only a benchmark that fails or does not end is an error.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import claims  # noqa: E402

HERE = Path(__file__).parent
LIMIT = 180  # seconds: a benchmark takes at most 60 where nothing else runs
LONGER = {"chest": 900}  # twenty studies of an image network, where its file is named
LEDGERS = {"embedded": LIMIT, "fabric": 420}  # a network of each profile, or a whole demo, takes its time


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--ledger", choices=LEDGERS, default="embedded")
    asked.add_argument("names", nargs="*", metavar="NAME")
    arguments = asked.parse_args()
    names = arguments.names or of_ledger(arguments.ledger)
    began, failed = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "claims"
        file.touch()
        for name in names:
            if not ran(name, file, LONGER.get(name, LEDGERS[arguments.ledger])):
                failed.append(name)
        rows = [json.loads(line) for line in file.read_text().splitlines()]
    print(f"\n{table(rows)}")
    missed = sum(not row["met"] for row in rows)
    print(f"\n{len(rows)} claims, {missed} not met here; {time.perf_counter() - began:.0f} s in all; "
          f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")  # fmt: skip
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def of_ledger(ledger: str) -> list[str]:
    """The benchmarks that measure `ledger`."""
    names = sorted(file.stem.removeprefix("bench_") for file in HERE.glob("bench_*.py"))
    return [name for name in names if ("fabric" in name) == (ledger == "fabric")]


def ran(name: str, file: Path, limit: float) -> bool:
    """Run one benchmark, `limit` seconds at most; whether it ended well."""
    print(f"\n== {name} (load {os.getloadavg()[0]:.1f})", flush=True)
    began = time.perf_counter()
    command = [sys.executable, str(HERE / f"bench_{name}.py")]
    bench = subprocess.Popen(command, env=os.environ | {claims.FILE: str(file)}, start_new_session=True)
    try:
        status = bench.wait(limit)
    except subprocess.TimeoutExpired:
        print(f"ended after {limit:.0f} s", flush=True)
        return False
    finally:
        end(bench)
    print(f"{time.perf_counter() - began:.0f} s", flush=True)
    return status == 0


def end(bench: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind of a benchmark that did not end by itself: it and what it started are one session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if bench.poll() is None:
            os.killpg(bench.pid, number)
            with suppress(subprocess.TimeoutExpired):
                bench.wait(10)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The claims as aligned columns."""
    lines = [("claim", "bound", "measured", "baseline", "ratio", "")]
    for row in rows:
        (beside, figure), measured = row["baseline"], row["measured"]
        lines.append((
            row["claim"], row["bound"], f"{measured:.4g} {row['unit']}", f"{beside} {figure:.4g}",
            f"{measured / figure:.2f}", "met" if row["met"] else "NOT MET HERE",
        ))  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


if __name__ == "__main__":
    main()
