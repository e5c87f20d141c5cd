"""What would break privacy, or a round, is found on made-up records first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.networks.nets import DenseNet
from opacus.validators import ModuleValidator
from torch import nn
from torch.nn.functional import cross_entropy

from training.errors import ModelRefused
from training.models import preflight
from training.models.candidates import CANDIDATES, loss
from training.models.networks import Network, heart_network
from training.privacy.engines import ENGINES

RANDOM = np.random.default_rng(5)
ROWS, LABELS = RANDOM.normal(size=(8, 13)).astype(np.float32), RANDOM.integers(0, 2, 8)
IMAGES = RANDOM.normal(size=(6, 1, 32, 32)).astype(np.float32)


class MeanOfBatch(nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows - 0.5 * rows.mean(dim=0, keepdim=True)


class LooksAtRecords(nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        if float(rows.sum()) > 0:
            return rows
        return -rows


def network(*layers: nn.Module) -> Network:
    return Network(nn.Sequential(*layers), cross_entropy, lambda outputs, labels: outputs.argmax(1) == labels)


def refusal(tried: Network, records=ROWS) -> str:
    with pytest.raises(ModelRefused) as refused:
        preflight.check(tried, records, LABELS[: len(records)])
    return refused.value.code


@pytest.mark.parametrize("hidden", [0, 8, 64])
def test_the_tabular_network_passes(hidden):
    preflight.check(heart_network(hidden), ROWS, LABELS)


def test_a_monai_network_for_images_passes_with_group_normalisation():
    module = DenseNet(
        2, 1, 2, init_features=8, growth_rate=4, block_config=(2,),
        norm=("group", {"num_groups": 4}), act=("relu", {"inplace": False}),
    )  # fmt: skip
    preflight.check(
        Network(module.eval(), cross_entropy, lambda outputs, labels: outputs.argmax(1) == labels), IMAGES, LABELS[:6]
    )


def test_batch_normalisation_is_refused():
    assert refusal(network(nn.Linear(13, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))) == "model.buffers"


def test_a_layer_that_mixes_records_is_refused():
    assert refusal(network(nn.Linear(13, 4), MeanOfBatch(), nn.Linear(4, 2))) == "model.mixes-records"


def test_dropout_while_training_is_refused():
    assert refusal(network(nn.Linear(13, 4), nn.Dropout(0.5), nn.Linear(4, 2))) == "model.no-gradient"


def test_control_flow_that_looks_at_records_is_refused():
    assert refusal(network(nn.Linear(13, 4), LooksAtRecords(), nn.Linear(4, 2))) == "model.no-gradient"


def test_a_frozen_parameter_is_refused():
    tried = network(nn.Linear(13, 4), nn.Linear(4, 2))
    next(tried.module.parameters()).requires_grad_(False)
    assert refusal(tried) == "model.frozen"


def test_another_precision_is_refused():
    assert refusal(network(nn.Linear(13, 2).double())) == "model.dtype"


def test_gradients_that_are_no_numbers_are_refused():
    tried = network(nn.Linear(13, 2))
    with torch.no_grad():
        next(tried.module.parameters()).fill_(float("nan"))
    assert refusal(tried) == "model.not-finite"


def test_a_layer_that_writes_in_place_is_refused():
    assert refusal(network(nn.Linear(13, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))) == "model.in-place"


@pytest.mark.parametrize("name", ["BasicUNet", "SegResNet"])
def test_what_opacus_validator_passes_wrongly_is_caught_and_mended(name):
    build, shape = CANDIDATES[name]
    module = build().eval()
    assert not ModuleValidator.validate(module.train(), strict=False)
    tried = Network(module.eval(), loss, lambda outputs, labels: outputs)
    records = RANDOM.normal(size=(4, *shape)).astype(np.float32)
    assert refusal(tried, records) == "model.in-place"
    assert preflight.mend(module) == ["inplace off"]
    preflight.check(tried, records, LABELS[:4])


def test_mending_puts_group_normalisation_where_a_batch_was_looked_at():
    module = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Flatten(), nn.LazyLinear(2))
    module(torch.zeros(2, 1, 6, 6))
    assert preflight.mend(module) == ["GroupNorm", "inplace off"]
    assert (module[1].num_groups, module[1].num_channels, module[2].inplace) == (2, 6, False)
    assert preflight.mend(module) == []
    tried = Network(module.eval(), cross_entropy, lambda outputs, labels: outputs.argmax(1) == labels)
    preflight.check(tried, IMAGES[:, :, :6, :6], LABELS[:6])


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_refuses_a_layer_that_mixes_records(name):
    tried = network(nn.Linear(13, 4), MeanOfBatch(), nn.Linear(4, 2))
    with pytest.raises(ModelRefused) as refused:
        preflight.check(tried, ROWS, LABELS, name)
    assert refused.value.code == "model.mixes-records"
