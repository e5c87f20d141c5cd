"""Every engine gives the same clipped sum, in one piece or in many, and the patient is the unit of all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.networks.nets import DenseNet
from torch import nn
from torch.nn.functional import cross_entropy

from training.errors import ModelRefused
from training.models.networks import Network, heart_network
from training.privacy.engines import ENGINES, engine

RANDOM = np.random.default_rng(11)
WHOLE = 10**6


def images() -> Network:
    torch.manual_seed(3)
    module = DenseNet(
        2, 1, 2, init_features=8, growth_rate=4, block_config=(2,), bn_size=2,
        norm=("group", {"num_groups": 4}), act=("relu", {"inplace": False}),
    )  # fmt: skip
    return Network(module.eval(), cross_entropy, lambda outputs, labels: outputs.argmax(1) == labels)


NETWORKS = {"tabular": lambda: (heart_network(8), (13,)), "images": lambda: (images(), (1, 16, 16))}
COUNTS = {"one record each": [1] * 12, "several": [1, 3, 1, 2, 5, 1], "one patient": [7]}


def records(shape, counts):
    count = sum(counts)
    features = (2 * RANDOM.normal(size=(count, *shape))).astype(np.float32)
    owners = np.repeat(np.arange(len(counts)), counts)
    mixed = RANDOM.permutation(count)
    return features[mixed], RANDOM.integers(0, 2, count)[mixed], owners[mixed]


def by_hand(network, weights, batch, clip):
    """One patient at a time, by plain autograd in float64."""
    features, labels, owners = batch
    total = torch.zeros(len(weights), dtype=torch.float64)
    network.take(weights)
    for patient in np.unique(owners):
        own = owners == patient
        network.module.zero_grad()
        network.loss(network.module(torch.from_numpy(features[own])), torch.from_numpy(labels[own])).backward()
        gradient = torch.cat([parameter.grad.flatten() for parameter in network.module.parameters()]).double()
        total += gradient * min(1.0, clip / (float(gradient.norm()) + 1e-6))
    return total


CASES = [*(("tabular", spread) for spread in COUNTS), ("images", "several")]


@pytest.mark.parametrize("rows", [WHOLE, 4])
@pytest.mark.parametrize(("model", "spread"), CASES)
@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_gives_the_same_sum(name, model, spread, rows):
    network, shape = NETWORKS[model]()
    batch = records(shape, COUNTS[spread])
    weights = network.give()
    expected = by_hand(network, weights, batch, 0.4)
    ours = engine(name, network.module, network.loss, 0.4, rows).clipped_sum(torch.from_numpy(weights), *batch)
    assert float((ours.double() - expected).abs().max()) <= 1e-6


@pytest.mark.parametrize("rows", [WHOLE, 4])
@pytest.mark.parametrize("name", ENGINES)
def test_a_patient_whose_gradient_is_no_number_counts_as_zero(name, rows):
    network, shape = NETWORKS["tabular"]()
    features, labels, owners = records(shape, [2, 1, 6, 1, 1])
    features[np.flatnonzero(owners == 2)[0]] = np.nan
    features[owners == 3] = np.inf
    weights = torch.from_numpy(network.give())
    tried = engine(name, network.module, network.loss, 0.4, rows)
    total = tried.clipped_sum(weights, features, labels, owners)
    kept = ~np.isin(owners, (2, 3))
    rest = tried.clipped_sum(weights, features[kept], labels[kept], np.unique(owners[kept], return_inverse=True)[1])
    assert torch.isfinite(total).all() and float((total - rest).abs().max()) <= 1e-6


@pytest.mark.parametrize("name", ENGINES)
def test_nobody_sampled_sums_to_zero(name):
    network, shape = NETWORKS["images"]()
    total = engine(name, network.module, network.loss, 1.0, 8).clipped_sum(
        torch.from_numpy(network.give()), *records(shape, [])
    )
    assert total.shape == (network.parameters,) and not total.any()


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_keeps_no_weights_between_calls(name):
    network, shape = NETWORKS["images"]()
    before, batch = network.give(), records(shape, [1, 2, 1])
    tried = engine(name, network.module, network.loss, 0.4, 8)
    moved = (before + 0.1).astype(np.float32)
    first = tried.clipped_sum(torch.from_numpy(moved), *batch)
    tried.clipped_sum(torch.from_numpy(before), *batch)
    again = tried.clipped_sum(torch.from_numpy(moved), *batch)
    assert torch.equal(first, again)
    assert np.array_equal(network.give(), before)


def test_no_engine_is_given_more_records_than_fit():
    class Counting:
        def clipped_sum(self, weights, features, labels, owners):
            given.append(len(features))
            assert sorted(set(owners)) == list(range(max(owners) + 1))
            return torch.zeros_like(weights)

    given = []
    network, shape = NETWORKS["tabular"]()
    pieces = engine("torch.func", network.module, network.loss, 1.0, 5)
    pieces._engine = Counting()
    pieces.clipped_sum(torch.from_numpy(network.give()), *records(shape, [2, 2, 2, 5, 9, 1, 1, 4, 1]))
    assert given == [4, 2, 5, 2, 5]  # the patient with nine records takes plain passes instead


@pytest.mark.parametrize("name", ENGINES)
def test_a_layer_that_keeps_statistics_is_refused(name):
    module = nn.Sequential(nn.Linear(13, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    with pytest.raises(ModelRefused) as refusal:
        engine(name, module, cross_entropy, 1.0, 8).clipped_sum(
            torch.nn.utils.parameters_to_vector(module.parameters()).detach(), *records((13,), [1, 1, 1])
        )
    assert refusal.value.code == "model.no-gradient"


class Instances(nn.Module):
    """Takes a record apart: its layer sees each part as if it were a record."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(13, 2)

    def forward(self, bags):
        return self.layer(bags.flatten(0, 1)).view(len(bags), -1, 2).mean(1)


@pytest.mark.parametrize("counts", [[1], [1, 1]])
@pytest.mark.parametrize("name", [name for name in ENGINES if name != "torch.func"])
def test_a_layer_that_sees_a_record_in_parts_is_refused(name, counts):
    module = Instances().eval()
    weights = torch.nn.utils.parameters_to_vector(module.parameters()).detach()
    with pytest.raises(ModelRefused) as refusal:
        engine(name, module, cross_entropy, 0.01, 8).clipped_sum(weights, *records((3, 13), counts))
    assert refusal.value.code == "model.no-gradient"


def test_an_unknown_engine_is_refused():
    network, _ = NETWORKS["tabular"]()
    with pytest.raises(ModelRefused) as refusal:
        engine("jax", network.module, network.loss, 1.0, 8)
    assert refusal.value.code == "model.engine"
