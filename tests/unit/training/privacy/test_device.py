"""The device follows the site's setting; where another one is used, it must give the processor's sums.

No GPU is at hand: the processor stands in its place where code for one runs, and what torch sees is said for it.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.errors import ModelRefused, TrainingError
from training.models import registry
from training.privacy import engines
from training.privacy.device import chosen
from training.site import trainer


@pytest.mark.parametrize(
    ("setting", "there", "device"),
    [
        ("cpu", True, "cpu"),
        ("cpu", False, "cpu"),
        ("auto", True, "cuda"),
        ("auto", False, "cpu"),
        ("cuda", True, "cuda"),
    ],
)
def test_the_setting_decides_and_auto_takes_a_gpu_where_there_is_one(monkeypatch, setting, there, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert chosen(setting) == device


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_asked_for_and_not_there_is_refused_before_anything_is_read():
    class Asked:
        configuration = registry.DESCRIPTIONS["heart-fcn"].defaults.configuration()

    with pytest.raises(TrainingError) as refusal:
        trainer.SiteTrainer("cuda").rehearse(Asked())
    assert refusal.value.code == "site.no-gpu"


@pytest.mark.parametrize("model", ["heart-fcn", "chest-densenet", "failure-hazard"])
@pytest.mark.parametrize("name", engines.ENGINES)
def test_the_way_over_a_device_changes_no_sum(name, model):
    network = registry.build(registry.DESCRIPTIONS[model].defaults.configuration() | {"frozen": ()})
    described = registry.DESCRIPTIONS[model]
    records, labels = trainer.made_up(described)
    weights = torch.from_numpy(network.give())
    try:
        plain = engines.engine(name, network.module, network.loss, 0.5, 3)
    except ModelRefused:
        return  # this engine takes no such network, on whatever device
    moved = engines.OnDevice(engines.engine(name, network.module, network.loss, 0.5, 3), "cpu")
    for owners in (np.arange(4), np.array([0, 0, 0, 0]), np.array([0, 0, 1, 1])):
        sums = [one.clipped_sum(weights, records, labels, owners) for one in (plain, moved)]
        assert sums[0].any() and torch.equal(*sums)


@pytest.fixture
def agrees(monkeypatch):
    """agrees(shares): whether a GPU is taken whose sums are those of the processor times one share after another."""
    configuration = trainer.alike(registry.configuration(registry.DESCRIPTIONS["heart-fcn"].defaults.configuration()))
    real = trainer.engine(configuration, 1.0, "cpu")

    class Off:
        def __init__(self, shares):
            self.shares = iter(shares)

        def clipped_sum(self, *batch):
            return real.clipped_sum(*batch) * next(self.shares)

    def agrees(*shares):
        there = Off(shares)
        monkeypatch.setattr(trainer, "engine", lambda configuration, clip, device: there if device == "cuda" else real)
        trainer.agreed.__wrapped__(configuration, "cuda")

    return agrees


def test_a_device_with_other_sums_is_refused(agrees):
    with pytest.raises(ModelRefused) as refusal:
        agrees(1.001, 0.999, 1.001)
    assert refusal.value.code == "model.device-differs"


@pytest.mark.parametrize("shares", [(1.0,), (1.001, 1.0), (1.001, 0.999, 1.0)])
def test_a_device_is_taken_where_the_sums_of_one_draw_of_weights_are_equal(agrees, shares):
    agrees(*shares)
