"""A study of survival through the sites' own agents: from the hospitals' tables to a released model and its card."""

from __future__ import annotations

import pytest

from tests.support.federation import World
from training.federation.release import Head, package
from training.federation.studies import Studies
from training.federation.vectors import digest
from training.models import failure as network
from training.site import failure
from training.site.trainer import SiteTrainer

CONFIGURATION = network.DEFAULTS.configuration() | {"local_steps": 2}
PRIVACY = {
    "clip": "1", "sigma": "2", "q": "0.5", "steps": 2, "delta": "0.0001", "records_per_patient": 1, "unit": "patient",
}  # fmt: skip


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, trainer=SiteTrainer())
    paths = failure.write_csvs(tmp_path, len(made.hospitals))
    for one, path in zip(made.hospitals.values(), paths, strict=True):
        one.hold(failure.load(path))
    made.everybody_consents()
    return made


def test_survival_trains_to_a_released_model(world):
    study = world.study(configuration=CONFIGURATION, privacy=PRIVACY)
    world.runner().run(study)
    studies = Studies(world.view)
    standing = studies.study(study)
    final = world.agents["AlphaMSP"].chain.final(standing)
    assert final.shape == (18,) and digest(final) != standing.plan.initial
    assert set(studies.confirmations(study)) == set(world.hospitals)
    card = package(world.view, standing, final, Head(41, "ab" * 32)).card.decode()
    assert "whether the patient lives through the first 120 days" in card
