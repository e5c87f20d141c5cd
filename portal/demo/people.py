"""Who consents to what in the demo: made up from a seed, so that a run can be repeated. Noise never comes from it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

UNWILLING = 0.05  # no grant at all
ANOTHER_PURPOSE = 0.05  # cancer research only
EXPIRED = 0.05
WITHDRAWN_BEFORE = 2  # patients a hospital whose withdrawal comes before the study
PRESETS = (("heart-disease", 0.7), ("health-research", 0.2), ("general-research", 0.1))


@dataclass(frozen=True, slots=True)
class Wish:
    """What one patient decides. `preset` is None for no grant; months are "YYYY-MM", both included."""

    patient: str
    preset: str | None
    valid_from: str = ""
    valid_until: str = ""
    withdraws: bool = False


def wishes(patients: Sequence[str], hospital: str, seed: int, today: date) -> list[Wish]:
    """One wish a patient: about 15 % do not consent, allow another purpose only, or have expired."""
    chance = random.Random(f"{seed}/{hospital}")
    decided = [wish(patient, chance.random(), chance, today) for patient in patients]
    willing = [
        index for index, one in enumerate(decided) if one.preset in dict(PRESETS) and one.valid_until > month(today, 0)
    ]
    for index in chance.sample(willing, min(WITHDRAWN_BEFORE, len(willing))):
        one = decided[index]
        decided[index] = Wish(one.patient, one.preset, one.valid_from, one.valid_until, withdraws=True)
    return decided


def wish(patient: str, draw: float, chance: random.Random, today: date) -> Wish:
    if draw < UNWILLING:
        return Wish(patient, None)
    if draw < UNWILLING + ANOTHER_PURPOSE:
        return Wish(patient, "cancer", month(today, 0), month(today, 60))
    preset = chance.choices([name for name, _ in PRESETS], [weight for _, weight in PRESETS])[0]
    if draw < UNWILLING + ANOTHER_PURPOSE + EXPIRED:
        return Wish(patient, preset, month(today, -36), month(today, -1))
    return Wish(patient, preset, month(today, 0), month(today, 60))


def month(today: date, ahead: int) -> str:
    """The month `ahead` months after today's, as "YYYY-MM"."""
    number = today.year * 12 + today.month - 1 + ahead
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
