"""What a plan lets vary from round to round: pinned, public, and the same wherever it is computed."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tests.support.federation import NoNoiseTrainer, World
from tests.unit.training.federation.test_removal import restarted
from training.errors import ModelRefused, TrainingError
from training.federation.chain import Chain, MemoryVectors
from training.federation.schedule import averaged, plan_of_round, share
from training.federation.studies import Restart, Studies
from training.federation.vectors import digest, from_bytes
from training.models import registry
from training.site.trainer import SiteTrainer

CONFIGURATION = {"model": "heart-fcn", "hidden": 4, "learning_rate": "2", "local_steps": 2, "features": "fed-heart-1"}


class Watching(NoNoiseTrainer):
    """Notes the learning rate of each call."""

    def __init__(self):
        self.rates = []

    def train(self, weights, records, plan, expected_batch):
        self.rates.append(float(plan.configuration["learning_rate"]))
        return super().train(weights, records, plan, expected_batch)


def planned(world, **changes):
    return world.study(configuration=CONFIGURATION | changes, rounds=3)


def small(folder, trainer=None):
    world = World(folder, hospitals=1, patients=20, held_out=1, trainer=trainer)
    world.everybody_consents()
    return world


@pytest.mark.parametrize(
    ("schedule", "rates"), [("constant", [2, 2, 2]), ("linear", [2, 4 / 3, 2 / 3]), ("cosine", [2, 1.5, 0.5])]
)
def test_each_round_trains_with_its_rate(tmp_path, schedule, rates):
    world = small(tmp_path, Watching())
    world.runner().run(planned(world, schedule=schedule))
    assert world.trainer.rates == pytest.approx(rates)


def test_a_restart_goes_on_where_the_rounds_it_kept_ended(tmp_path):
    world = small(tmp_path)
    before = Studies(world.view).study(planned(world, schedule="linear"))
    plan = msgspec.structs.replace(before.plan, rounds=2, restart=Restart(before.study, 2))
    again = msgspec.structs.replace(before, study="another", plan=plan)
    rates = [plan_of_round((again, before), number).configuration["learning_rate"] for number in (1, 2)]
    assert [float(one) / 2 for one in rates] == pytest.approx([share("linear", 2, 3), share("linear", 3, 3)])


def test_the_last_round_closes_with_the_average_that_everybody_recomputes(tmp_path):
    world = small(tmp_path, SiteTrainer())
    study = planned(world, averaging="0.5")
    model = world.runner().run(study)
    studies = Studies(world.view)
    standing, closed = studies.study(study), studies.closed(study)
    first, one, two = (from_bytes(world.blobs.get(name)) for name in (standing.plan.initial, *names(closed[:2])))
    update = from_bytes(world.blobs.get(studies.updates(closed[2])["AlphaMSP"]))
    by_hand = averaged([first, one, two, (two.astype(float) + update).astype(np.float32)], 0.5)
    assert model.tolist() == by_hand.tolist() and closed[2].model == digest(model)
    assert Chain(studies, world.blobs, MemoryVectors()).final(standing).tolist() == model.tolist()
    assert studies.confirmations(study).keys() == {"AlphaMSP"}


def test_a_restart_averages_from_the_checkpoint_that_it_began_with(tmp_path):
    world = small(tmp_path, SiteTrainer())
    study, studies = planned(world, averaging="0.5", schedule="cosine", frozen=["hidden_0"]), Studies(world.view)
    world.runner().run(study)
    world.run("researcher", "studies:Stop", {"study": study, "reason": "test.stopped"})
    new = restarted(world, studies.study(study), studies.last(study, 2))
    model = world.runner().run(new)
    begins = (studies.study(new).plan.initial, *names(studies.closed(new)[:1]))
    start, first = (from_bytes(world.blobs.get(name)) for name in begins)
    update = from_bytes(world.blobs.get(studies.updates(studies.closed(new)[1])["AlphaMSP"]))
    assert start.tolist() == from_bytes(world.blobs.get(studies.closed(study)[0].model)).tolist()
    by_hand = averaged([start, first, (first.astype(float) + update).astype(np.float32)], 0.5)
    assert model.tolist() == by_hand.tolist() and studies.confirmations(new).keys() == {"AlphaMSP"}


def test_a_model_that_is_not_the_average_is_refused(tmp_path, monkeypatch):
    world = small(tmp_path, SiteTrainer())
    study = planned(world, averaging="0.5")
    monkeypatch.setattr(world.agents["AlphaMSP"].chain, "closing", lambda study, number, model: model)
    with pytest.raises(TrainingError, match=r"rounds\.unconfirmed"):
        world.runner().run(study)


def test_frozen_parameters_stay_and_no_noise_of_them_leaves(tmp_path):
    world = small(tmp_path, SiteTrainer())
    study = planned(world, frozen=["hidden_0"])
    start = from_bytes(world.blobs.get(Studies(world.view).study(study).plan.initial))
    moved = world.runner().run(study) != start
    trained = registry.trained(registry.configuration(CONFIGURATION | {"frozen": ["hidden_0"]}))
    assert trained.sum() == 5 and (moved == trained).all()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"schedule": "stepwise"}, "model.configuration"),
        ({"averaging": "1"}, "model.configuration"),
        ({"averaging": "much"}, "model.configuration"),
        ({"frozen": ["hidden_0", "output"]}, "model.frozen"),
        ({"frozen": ["encoder"]}, "model.frozen"),
    ],
)
def test_what_does_not_fit_the_network_is_refused(change, code):
    with pytest.raises(ModelRefused) as refusal:
        registry.configuration(CONFIGURATION | change)
    assert refusal.value.code == code


def names(rounds):
    return [one.model for one in rounds]
