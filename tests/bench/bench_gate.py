"""The gate of one round: 100,000 patients, each weighed over all of their documents, in seconds of one core.

Most have one consent of their own; a few have several, or are children for whom a guardian signed. Baseline: all
documents of each patient weighed together, patient by patient.
"""

from __future__ import annotations

import gc
import random
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parents[2]))

from consent.decide import read_all  # noqa: E402
from consent.mandate import Age, Mandate  # noqa: E402
from consent.voices import Spoken  # noqa: E402
from consent.voices import together as weigh  # noqa: E402
from tests.bench.bench_consent_gate import NOW, patients, study  # noqa: E402
from tests.bench.claims import claim  # noqa: E402
from training.site.gate import Gate  # noqa: E402
from training.site.stores import Standing  # noqa: E402

PATIENTS, SAMPLE, HEIGHT = 100_000, 5_000, 10
AGE = Age(
    assents_from="2030-01-01T00:00:00+00:00", of_age_from="2034-01-01T00:00:00+00:00", policy="ours", evidence="ab" * 32
)
GUARDIAN = Mandate(
    office="guardian", starts="2016-01-01T00:00:00+00:00", ends="2034-01-01T00:00:00+00:00", evidence="ab" * 32
)


def standings(seed: int) -> list[Standing]:
    """Every fiftieth patient has a second document, every fiftieth is a child."""
    chance = random.Random(seed)
    views = iter(patients(PATIENTS + PATIENTS // 50, seed))
    found = []
    for number in range(PATIENTS):
        patient = str(uuid.UUID(int=chance.getrandbits(128)))
        if number % 50 == 1:
            view = next(views)
            details = msgspec.structs.replace(view.details, age=AGE, mandate=GUARDIAN)
            found.append(standing(chance, patient, msgspec.structs.replace(view, details=details), "guardian", AGE))
            continue
        found += [standing(chance, patient, next(views)) for _ in range(2 if number % 50 == 2 else 1)]
    return sorted(found, key=lambda one: one.patient)


def standing(chance: random.Random, patient: str, view: Any, speaker: str = "", age: Age | None = None) -> Standing:
    return Standing(
        patient, chance.randbytes(32).hex(), view, "portal-key", bytes(32), recorded_block=5, speaker=speaker, age=age
    )


def main() -> None:
    seed = 3
    print(f"seed: {seed}")
    everything, gate = standings(seed), Gate(study(), NOW, HEIGHT)
    gc.collect()
    gc.freeze()  # the grants came from elsewhere: counting through them is not part of deciding
    started = time.process_time()
    admitted = gate.admit(everything)
    together = time.process_time() - started
    answers = read_all([one.view for one in everything], gate.purpose, gate.when)
    by_patient: dict[str, list[Spoken]] = {}
    for one, answer in zip(everything, answers, strict=True):
        by_patient.setdefault(one.patient, []).append(Spoken(one.view, answer, one.speaker))
    few = list(by_patient.items())[:SAMPLE]
    ages = {one.patient: one.age for one in everything}
    started = time.process_time()
    weighed = [(patient, weigh(said, gate.purpose, gate.when, ages[patient])) for patient, said in few]
    each = (time.process_time() - started) / SAMPLE * PATIENTS
    allowed = [patient for patient, found in weighed if found.decision.permits and found.left.undated]
    if [item.patient for item in admitted[: len(allowed)]] != allowed:
        sys.exit("weighing many differs from weighing each")
    print(
        f"gate of a round, {PATIENTS:,} patients ({len(admitted):,} admitted): {together:.3f} s of one core "
        f"(baseline weighing each, without reading it, from {SAMPLE:,}: {each:.2f} s, ratio {each / together:.1f})"
    )
    claim("gate of a round, 100,000 patients", together, "CPU s", at_most=0.3, baseline=("weighing each", each))


if __name__ == "__main__":
    main()
