"""A patient's own odometer: what was released here of the cohorts with the patient in them, and what that has cost.

A round without the patient costs the patient nothing: whether somebody is in a cohort rests on their consent alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings

from portal.reactor import selectors as mirror

if TYPE_CHECKING:
    from training.privacy.events import Event

Place = tuple[str, int, int]  # study, round, attempt


def events(places: Iterable[Place]) -> list[Event]:
    """The mechanism events that this hospital released of attempts at `places`: what was not released cost nothing."""
    from training.privacy.events import Gaussian, PoissonSampledGaussian  # numpy: only where it is used

    by_study: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for study, *place in places:
        by_study[study].add((place[0], place[1]))
    found: list[Event] = []
    for study, attempts in sorted(by_study.items()):
        record: dict[str, Any] | None = mirror.record(f"studies/study/{study}")
        if record is None:  # a rebuild is under way
            continue
        plan = record["plan"]
        privacy, metric = plan["privacy"], Gaussian(float(plan["metrics"]["sigma"]))
        found += [metric] * len(attempts & released("measurement", study))
        if trained := len(attempts & released("update", study)):
            sigma, q = float(privacy["sigma"]), float(privacy["q"])
            found.append(PoissonSampledGaussian(sigma, q, int(privacy["steps"]) * trained))
    return found


def released(what: str, study: str) -> set[tuple[int, int]]:
    """Round and attempt of each update (`update`) or noised result (`measurement`) of this hospital in `study`."""
    keys = mirror.standing(f"studies/{what}/{study}/").filter(key__endswith=f"/{settings.NODE.msp}")
    places = (key.split("/")[3:5] for key in keys.values_list("key", flat=True))
    return {(int(number), int(attempt)) for number, attempt in places}


def epsilon(found: Sequence[Event], delta: str) -> str:
    """Of `found` together, by RDP, in thousandths rounded up."""
    from training.privacy.accountants import rdp_epsilon  # numpy: only where it is used

    if not found:
        return "0"
    return str(Decimal(rdp_epsilon(found, float(delta))).quantize(Decimal("0.001"), ROUND_CEILING))
