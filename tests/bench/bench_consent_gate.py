"""The consent gate: one million grants, under all modifiers, decided for one purpose, in seconds of one core.

Grants as a large hospital has them: each with its own details, in a few hundred distinct shapes of what was added to a
preset. Also the memory that grants and decisions take together.
"""

from __future__ import annotations

import gc
import random
import resource
import sys
import time
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from consent import diseases, duo, local_terms, periods
from consent.decide import ConsentView, decide, decide_all
from consent.grant import Details
from consent.limits import Denial, Limits
from consent.purpose import TO_ACCEPT, Asking, Ethics, Purpose
from consent.terms import Condition
from tests.bench.claims import claim

GRANTS, SAMPLE = 1_000_000, 20_000
SHAPES = 300
NOW = 1_780_000_000  # 2026-05-28, UTC
DAY = 86_400
VALUES = {
    duo.RS: ("children only",),
    duo.GS: ("DE", "US"),
    duo.IS: ("InstituteMSP",),
    duo.US: ("ada", "bob"),
    duo.PS: ("heart-1",),
    duo.TS: ("36",),
    duo.MOR: ("2027-01-01",),
}


def limits(chance: random.Random) -> list[Limits]:
    """What patients add, in SHAPES ways: every second one all modifiers that the study can keep, the others some."""
    keepable = sorted(duo.CONDITIONS.keys() - {duo.RS, duo.GSO, local_terms.NAI})
    found = [Limits()]
    while len(found) < SHAPES:
        some = chance.sample(sorted(duo.CONDITIONS), chance.randrange(1, len(duo.CONDITIONS)))
        chosen = keepable if len(found) % 2 else sorted(some)
        conditions = tuple(Condition(term=code, values=VALUES.get(code, ())) for code in chosen)
        denied = Denial(diseases=(diseases.CANCER,), ends=periods.day_of(NOW + len(found) * DAY))
        found.append(Limits(conditions=conditions, denied=(denied,)))
    return found


def patients(count: int, seed: int) -> list[ConsentView]:
    """Grants, each with its own details, dates spread over three years, some withdrawn; each date is held once."""
    chance = random.Random(seed)
    presets = ["heart-disease"] * 6 + ["health-research"] * 2 + ["general-research", "cancer"]
    finer: list[tuple[str, ...]] = [()] * 8 + [(diseases.HEART,), ("MONDO:0005010",)]
    digest = sha256(b"the same for all").hexdigest()
    added = limits(chance)
    days = {offset: periods.day_of(NOW + offset * DAY) for offset in range(-1_000, 1_000)}
    months = {day: day[:7] for day in days.values()}
    views = []
    for _ in range(count):
        begun, left = chance.randrange(1_000), chance.randrange(-60, 1_000)
        details = Details(
            salt=chance.randbytes(32).hex(),
            text_digest=digest,
            language="en",
            starts=days[-begun],
            ends=days[left],
            retrospective=True,
            diseases=chance.choice(finer),
            limits=chance.choice(added),
            secret_digest=digest,
        )
        withdrawn = chance.random() < 0.05
        views.append(
            ConsentView(
                status="withdrawn" if withdrawn else "active",
                preset=chance.choice(presets),
                valid_from=months[days[-begun]],
                valid_until=months[days[left]],
                recorded_at=NOW - begun * DAY,
                withdrawn_at=NOW - 1 if withdrawn else None,
                details=details,
            )
        )
    return views


def study() -> Purpose:
    """A study that says all that it can be asked, and accepts every obligation."""
    return Purpose.of(
        duo.DS,
        [diseases.HEART],
        commercial=False,
        for_profit=False,
        asking=Asking(
            institution="InstituteMSP",
            users=("ada",),
            project="heart-1",
            countries=("DE", "US"),
            ethics=Ethics(document="11" * 32, until="2027-06-30"),
            accepts=tuple(sorted(TO_ACCEPT)),
            publishes_from="2027-01-01",
        ),
    )


def resident() -> float:
    """The most memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    seed = 3
    print(f"seed: {seed}")
    before = resident()
    views, purpose = patients(GRANTS, seed), study()
    gc.collect()
    gc.freeze()  # the grants came from elsewhere: counting through them is not part of deciding
    started = time.process_time()
    decisions = decide_all(views, purpose, NOW)
    many = time.process_time() - started
    megabytes = resident() - before
    started = time.process_time()
    singly = [decide(view, purpose, NOW) for view in views[:SAMPLE]]
    one_by_one = (time.process_time() - started) / SAMPLE * GRANTS
    if decisions[:SAMPLE] != singly:
        sys.exit("deciding many differs from deciding each")
    permitted = sum(decision.permits for decision in decisions)
    print(
        f"consent gate, {GRANTS:,} grants in {SHAPES} shapes of limits ({permitted:,} permitted): {many:.3f} s of one "
        f"core, {megabytes:.0f} MB together with the grants "
        f"(baseline decide one at a time, from {SAMPLE:,}: {one_by_one:.2f} s, ratio {one_by_one / many:.1f})"
    )
    claim("gate, 1,000,000 grants", many, "CPU s", at_most=1.5, baseline=("one at a time", one_by_one))
    claim("gate, 1,000,000 grants: memory", megabytes, "MB", at_most=500, baseline=("before", before))


if __name__ == "__main__":
    main()
