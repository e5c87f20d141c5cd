"""A study of images through the sites' own agents: from DICOM-sized pictures in a file to a released model."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.federation import World
from training.errors import TrainingError
from training.federation.studies import Studies
from training.models import chest, registry
from training.site import images
from training.site.trainer import SiteTrainer, evaluate

CONFIGURATION = chest.DEFAULTS.configuration() | {"hidden": 4, "local_steps": 1}
PRIVACY = {
    "clip": "1", "sigma": "2", "q": "0.5", "steps": 1, "delta": "0.0001", "records_per_patient": 1, "unit": "patient",
}  # fmt: skip


@pytest.fixture
def world(tmp_path):
    """Two hospitals with 60 pictures each, bright below where the label is 1."""
    made, random = World(tmp_path, trainer=SiteTrainer()), np.random.default_rng(4)
    for number, one in enumerate(made.hospitals.values()):
        labels = np.arange(60, dtype=np.uint8) % 2
        pixels = random.integers(0, 60, (60, 28, 28)).astype(np.uint8)
        pixels[labels == 1, 14:] += 180
        path = tmp_path / f"{number}.npz"
        images.write(path, [f"{one.msp}-{place}" for place in range(60)], pixels, labels)
        one.hold(images.load(path))
    made.everybody_consents()
    return made


def proposed(world, **changes):
    return world.study(**{"configuration": CONFIGURATION, "privacy": PRIVACY, **changes})


def test_images_train_to_a_released_model(world):
    study = proposed(world)
    world.runner().run(study)
    studies = Studies(world.view)
    assert [item.status for item in studies.rounds(study)] == ["closed"] * 3
    final = world.agents["AlphaMSP"].chain.final(studies.study(study))
    assert final.shape == (registry.parameters(CONFIGURATION),)
    assert set(studies.confirmations(study)) == set(world.hospitals)
    one = world.hospitals["BetaMSP"]
    records = one.load(one.dataset, 1, sorted(one.held_out))
    assert evaluate(final, records.features, records.labels, records.owners, CONFIGURATION)[1] == len(one.held_out)
    assert not {name for chosen in one.loads[:2] for name in chosen} & one.held_out


def test_tables_do_not_train_the_network_for_images(tmp_path):
    other = World(tmp_path, trainer=SiteTrainer())
    other.everybody_consents()
    study = proposed(other, spare_attempts=0)
    with pytest.raises(TrainingError, match=r"records\.shape"):
        other.runner().run(study)
    assert not any(Studies(other.view).updates(item) for item in Studies(other.view).rounds(study))
