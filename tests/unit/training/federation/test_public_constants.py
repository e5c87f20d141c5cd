"""A withdrawal changes who is in the next cohort, and no number by which anybody could tell: those are the plan's."""

from __future__ import annotations

import pytest

from tests.support.federation import NoNoiseTrainer, World
from training.federation.aggregate import aggregate
from training.federation.studies import Studies
from training.federation.vectors import digest, from_bytes
from training.privacy.mechanism import Mechanism


class Watching(NoNoiseTrainer):
    """Notes with what a site trains, beside whom."""

    def __init__(self):
        self.seen = []

    def train(self, weights, records, plan, expected_batch):
        self.seen.append((len(records.labels), expected_batch, Mechanism.of(plan.privacy), plan.weights, plan))
        return super().train(weights, records, plan, expected_batch)


@pytest.fixture
def run(tmp_path):
    """A study of three rounds; patients of one hospital withdraw between them, some at home, some elsewhere."""
    world = World(tmp_path, trainer=Watching())
    world.everybody_consents()
    study = world.study(rounds=3)
    leaving = [made for made in world.hospitals["AlphaMSP"].grants.values() if made.patient in training(world)][:6]

    def between(number):
        for made in leaving[3 * (number - 2) : 3 * (number - 1)] if number > 1 else ():
            world.hospitals["AlphaMSP"].withdraw(made, elsewhere=made is leaving[0])

    world.runner(before=between).run(study)
    return world, study


def training(world):
    hospital = world.hospitals["AlphaMSP"]
    return set(hospital.features) - hospital.held_out


def test_cohorts_shrink_and_no_constant_moves(run):
    world, study = run
    plan = Studies(world.view).study(study).plan
    seen = world.trainer.seen
    assert [count for count, *_ in seen if count != 30] == [27, 24]
    expected = (13.2, Mechanism.of(plan.privacy), plan.weights, plan)
    assert len(seen) == 6 and all(tuple(constants) == expected for _, *constants in seen)


def test_the_ledger_books_the_same_event_before_and_after(run):
    world, study = run
    events = [entry.body["event"] for entry in world.view.entries(f"studies/update/{study}/").values()]
    assert len(events) == 6
    event = {"mechanism": "poisson-subsampled-gaussian", "sigma": "2", "q": "0.2", "steps": 2}
    assert all(one == event for one in events)


def test_the_aggregate_weighs_a_smaller_hospital_as_before(run):
    """Each closed model is what the plan's weights give, though one cohort is smaller than the other by then."""
    world, study = run
    studies = Studies(world.view)
    standing = studies.study(study)
    last = studies.closed(study)[-1]
    deltas = {site: from_bytes(world.blobs.get(name)) for site, name in studies.updates(last).items()}
    assert digest(aggregate(from_bytes(world.blobs.get(last.base)), deltas, standing.plan.weights)) == last.model
