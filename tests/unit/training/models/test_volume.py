"""Segmentation in three dimensions: Dice is taken volume by volume, so that it is a sum over records."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.losses import DiceLoss

from training.errors import ModelRefused
from training.models import preflight, registry, volume
from training.models.networks import Network
from training.site.trainer import made_up, rehearsed

CONFIGURATION = volume.DEFAULTS.configuration()


@pytest.mark.parametrize("hidden", [4, 8, 32])
def test_the_shapes_are_the_modules(hidden):
    configuration = CONFIGURATION | {"hidden": hidden}
    network = registry.build(configuration)
    expected = [(name, tuple(parameter.shape)) for name, parameter in network.module.named_parameters()]
    assert list(registry.shapes(configuration).items()) == expected


@pytest.mark.parametrize("hidden", [0, 3, 36])
def test_a_width_that_groups_cannot_share_is_refused(hidden):
    with pytest.raises(ModelRefused) as refusal:
        registry.configuration(CONFIGURATION | {"hidden": hidden})
    assert refusal.value.code == "model.configuration"


def test_the_network_passes_the_dry_run():
    rehearsed(registry.configuration(CONFIGURATION))


@pytest.mark.parametrize("seed", [163, 235, 342])
def test_it_passes_where_float32_would_round_a_batch_to_a_rectifiers_other_side(seed):
    """Of the first 400 draws of weights, these parted a batch's float32 sum furthest from that of its records."""
    network = registry.build(CONFIGURATION)
    network.take(registry.initial_weights(CONFIGURATION, seed))
    preflight.check(network, *made_up(volume.DESCRIPTION), volume.DESCRIPTION.engine)


def test_the_loss_is_monais_dice_of_each_volume():
    random = np.random.default_rng(5)
    outputs = torch.from_numpy(random.normal(size=(3, 1, 8, 8, 8)).astype(np.float32))
    truth = torch.from_numpy(random.integers(0, 2, (3, 8, 8, 8)))
    ours = registry.build(CONFIGURATION).loss(outputs, truth)
    theirs = DiceLoss(sigmoid=True, smooth_nr=1, smooth_dr=1)(outputs, truth[:, None])
    assert float(ours) == pytest.approx(float(theirs), abs=1e-6)


def test_dice_over_a_whole_batch_is_refused():
    """One division over several volumes' voxels: a patient's gradient would depend on who else was sampled."""
    dice = DiceLoss(sigmoid=True, batch=True)
    module = torch.nn.Conv3d(1, 1, 3, padding=1)
    records = np.random.default_rng(1).normal(size=(4, 1, 6, 6, 6)).astype(np.float32)
    labels = np.random.default_rng(2).integers(0, 2, (4, 6, 6, 6))
    network = Network(module, lambda outputs, truth: dice(outputs, truth[:, None]), lambda outputs, truth: truth)
    with pytest.raises(ModelRefused) as refusal:
        preflight.check(network, records, labels)
    assert refusal.value.code == "model.mixes-records"


def test_a_volume_is_right_where_the_regions_overlap_by_more_than_half():
    truth = torch.zeros(3, 8, 8, 8, dtype=torch.int64)
    truth[0, :4] = truth[1, :4] = 1
    outputs = torch.full((3, 1, 8, 8, 8), -1.0)
    outputs[0, 0, 1:5] = outputs[1, 0, 3:7] = 1.0
    judged = registry.build(CONFIGURATION).judge(outputs, truth)
    assert judged.tolist() == [1, 0, 1]  # nothing drawn where nothing is: right
