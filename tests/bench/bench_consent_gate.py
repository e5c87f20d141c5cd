"""The consent gate: one million grants decided for one purpose, in seconds of one core."""

from __future__ import annotations

import random
import sys
import time
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from consent import diseases, duo, periods
from consent.decide import ConsentView, decide, decide_all
from consent.grant import Details
from consent.purpose import Purpose
from tests.bench.claims import claim

GRANTS, SAMPLE = 1_000_000, 20_000
NOW = 1_780_000_000  # 2026-05-28, UTC
DAY = 86_400


def patients(count: int, seed: int) -> list[ConsentView]:
    """Grants as a large hospital has them: each with its own details, dates spread over three years, some withdrawn."""
    chance = random.Random(seed)
    presets = ["heart-disease"] * 6 + ["health-research"] * 2 + ["general-research", "cancer"]
    finer: list[tuple[str, ...]] = [()] * 8 + [(diseases.HEART,), ("MONDO:0005010",)]
    digest = sha256(b"the same for all").hexdigest()
    views = []
    for _ in range(count):
        starts, ends = NOW - chance.randrange(1_000) * DAY, NOW + chance.randrange(-60, 1_000) * DAY
        details = Details(
            salt=chance.randbytes(32).hex(),
            text_digest=digest,
            language="en",
            starts=periods.day_of(starts),
            ends=periods.day_of(ends),
            diseases=chance.choice(finer),
            secret_digest=digest,
        )
        withdrawn = chance.random() < 0.05
        views.append(
            ConsentView(
                status="withdrawn" if withdrawn else "active",
                preset=chance.choice(presets),
                valid_from=periods.month_of(starts),
                valid_until=periods.month_of(ends),
                recorded_at=starts + chance.randrange(DAY),
                withdrawn_at=NOW - 1 if withdrawn else None,
                details=details,
            )
        )
    return views


def main() -> None:
    seed = 3
    print(f"seed: {seed}")
    views = patients(GRANTS, seed)
    purpose = Purpose.of(duo.DS, [diseases.HEART])
    started = time.process_time()
    decisions = decide_all(views, purpose, NOW)
    many = time.process_time() - started
    started = time.process_time()
    singly = [decide(view, purpose, NOW) for view in views[:SAMPLE]]
    one_by_one = (time.process_time() - started) / SAMPLE * GRANTS
    if decisions[:SAMPLE] != singly:
        sys.exit("deciding many differs from deciding each")
    permitted = sum(decision.permits for decision in decisions)
    print(
        f"consent gate, {GRANTS:,} grants ({permitted:,} permitted): {many:.3f} s of one core "
        f"(baseline decide one at a time, from {SAMPLE:,}: {one_by_one:.2f} s, ratio {one_by_one / many:.1f})"
    )
    claim("gate, 1,000,000 grants", many, "CPU s", at_most=1.0, baseline=("one at a time", one_by_one))


if __name__ == "__main__":
    main()
