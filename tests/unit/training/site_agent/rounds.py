"""A study brought to where a test begins: a round opened, its sites fixed, closed."""

from __future__ import annotations

import pytest

from consent.errors import CovenantError
from training.federation.aggregate import aggregate
from training.federation.studies import Studies
from training.federation.vectors import digest, from_bytes, to_bytes

ALPHA = "AlphaMSP"


def opened(world, study, number=1, attempt=1, kind="training"):
    world.run("runner", "studies:Open", {"study": study, "round": number, "attempt": attempt, "kind": kind})


def fixed(world, study, number=1, attempt=1, kind="training"):
    opened(world, study, number, attempt, kind)
    for name in world.agents:
        world.ask(name, "cohort", study, number, attempt)
    world.run("runner", "studies:Fix", {"study": study, "round": number, "attempt": attempt})


def trained(world, study):
    """Round 1, to its close."""
    fixed(world, study)
    deltas = {name: world.ask(name, "train", study, 1, 1).vector for name in world.agents}
    for delta in deltas.values():
        world.blobs.put(to_bytes(delta))
    plan = Studies(world.view).study(study).plan
    model = aggregate(from_bytes(world.blobs.get(plan.initial)), deltas, plan.weights)
    world.run("runner", "studies:Close", {"study": study, "round": 1, "attempt": 1, "model": digest(model)})


def refused(code):
    return pytest.raises(CovenantError, match=code.replace(".", r"\."))
