"""A study of volumes through the sites' own agents: from hospitals' files to a released model that draws the region."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.federation import World
from tests.support.volumes import ball, spaced
from training.federation.studies import Studies
from training.federation.vectors import digest
from training.models import registry, volume
from training.site import volumes
from training.site.trainer import SiteTrainer

CONFIGURATION = volume.DEFAULTS.configuration() | {"local_steps": 1}
PRIVACY = {
    "clip": "1", "sigma": "2", "q": "0.2", "steps": 1, "delta": "0.0001", "records_per_patient": 1, "unit": "patient",
}  # fmt: skip


@pytest.fixture
def world(tmp_path):
    made, random = World(tmp_path, trainer=SiteTrainer()), np.random.default_rng(4)
    for number, one in enumerate(made.hospitals.values()):
        masks = np.stack([ball(volume.LABEL, spaced(4, 4, 4), radius) for radius in random.uniform(15, 50, 64)])
        pixels = (60 + 90 * masks + random.integers(0, 40, masks.shape)).astype(np.uint8)
        path = tmp_path / f"{number}.volumes.npz"
        volumes.write(path, [f"{one.msp}-{place}" for place in range(64)], pixels, masks)
        one.hold(volumes.load(path))
    made.everybody_consents()
    return made


def test_volumes_train_to_a_released_model(world):
    study = world.study(configuration=CONFIGURATION, privacy=PRIVACY, rounds=1)
    world.runner().run(study)
    studies = Studies(world.view)
    assert [item.status for item in studies.rounds(study)] == ["closed"] * 2
    standing = studies.study(study)
    final = world.agents["AlphaMSP"].chain.final(standing)
    assert final.shape == (registry.parameters(CONFIGURATION),) and digest(final) != standing.plan.initial
    assert set(studies.confirmations(study)) == set(world.hospitals)
    assert studies.measured(studies.rounds(study)[-1]).keys() == world.hospitals.keys()
