"""Each layer's gradient, taken from what went in and what came back, is the one that plain autograd gives a record."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from training.errors import ModelRefused
from training.models.networks import Frozen, Network
from training.privacy import layers
from training.privacy.engines import engine
from training.privacy.layers import Product

RANDOM = np.random.default_rng(5)

STACKS = {
    "groups, stride, dilation": ((4, 9, 9), lambda: (
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), nn.PReLU(6), nn.Conv2d(6, 3, (2, 3), dilation=(1, 2)))),
    "transposed": ((4, 5, 5), lambda: (
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, bias=False), nn.PReLU(),
        nn.InstanceNorm2d(6, affine=True), nn.Conv2d(6, 2, 3))),
    "volumes": ((1, 6, 6, 6), lambda: (
        nn.Conv3d(1, 4, 3, stride=2, padding=1), nn.GroupNorm(2, 4), nn.ELU(), nn.ConvTranspose3d(4, 2, 3, stride=2))),
    "signals": ((3, 12), lambda: (nn.Conv1d(3, 5, 4, stride=3), nn.Tanh(), nn.ConvTranspose1d(5, 2, 2))),
    "rows of rows": ((7, 3), lambda: (nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4, bias=False))),
    "channels side by side": ((16, 9, 9), lambda: (
        nn.Conv2d(16, 16, (3, 2), stride=2, padding=(1, 0), groups=2), nn.Tanh(),
        nn.Conv2d(16, 8, 3, dilation=2, padding=2),
        nn.ConvTranspose2d(8, 16, 3, stride=2, padding=1, output_padding=1, groups=2), nn.Conv2d(16, 2, 1, stride=2))),
    "few positions": ((16, 3, 3), lambda: (nn.Conv2d(16, 24, 3, padding=1), nn.Tanh(), nn.Conv2d(24, 16, 2))),
}  # fmt: skip
WEIGHT = "0.weight"  # of a stack's first layer: what the tests freeze


def network(name):
    torch.manual_seed(4)
    shape, layers = STACKS[name]
    stack = nn.Sequential(*layers(), nn.Flatten(), nn.LazyLinear(2)).eval()
    stack(torch.zeros(1, *shape))
    return Network(stack, cross_entropy, lambda outputs, labels: outputs.argmax(1) == labels), shape


def batch(shape, counts):
    owners = RANDOM.permutation(np.repeat(np.arange(len(counts)), counts))
    features = (2 * RANDOM.normal(size=(len(owners), *shape))).astype(np.float32)
    return features, RANDOM.integers(0, 2, len(owners)), owners


def by_hand(network, records, clip, moves):
    """One patient at a time, by plain autograd in float64; `moves` (P,): the weights that train."""
    features, labels, owners = records
    total = torch.zeros(network.parameters, dtype=torch.float64)
    module = network.module.double()
    for patient in np.unique(owners):
        own = owners == patient
        module.zero_grad()
        network.loss(module(torch.from_numpy(features[own]).double()), torch.from_numpy(labels[own])).backward()
        gradient = torch.cat([parameter.grad.flatten() for parameter in module.parameters()]) * moves
        total += gradient * min(1.0, clip / (float(gradient.norm()) + 1e-6))
    module.float()
    return total


@pytest.mark.parametrize("counts", [[1] * 5, [1, 3, 2]])
@pytest.mark.parametrize("name", STACKS)
def test_every_layer_gives_a_patients_gradient(name, counts):
    network_, shape = network(name)
    records, weights = batch(shape, counts), torch.from_numpy(network_.give())
    for clip in (0.3, 1e6):
        ours = engine("layerwise", network_.module, network_.loss, clip, 64).clipped_sum(weights, *records)
        expected = by_hand(network_, records, clip, torch.ones(len(weights)))
        assert float((ours.double() - expected).abs().max()) <= 1e-6 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("name", STACKS)
def test_norms_look_past_what_is_frozen(name):
    network_, shape = network(name)
    records, weights = batch(shape, [1] * 5), torch.from_numpy(network_.give())
    held = Frozen(network_.module, (WEIGHT,)).eval()
    moves = torch.ones(len(weights))
    moves[: network_.module[0].weight.numel()] = 0.0
    ours = engine("layerwise", held, network_.loss, 0.3, 64).clipped_sum(weights, *records)
    assert float((ours.double() - by_hand(network_, records, 0.3, moves)).abs().max()) <= 1e-6


def test_a_norm_is_not_lost_where_positions_cancel():
    """Positions that are opposite up to a part in 10,000: float32's Gram matrices would find almost any length."""
    left, right = (torch.from_numpy(RANDOM.normal(size=(3, 1, 40, 1)).astype(np.float32)) for _ in range(2))
    product = Product(torch.cat([left, -left * (1 + 1e-4)], 3), torch.cat([right, right], 3))
    assert product.short
    norms = product.written().norms()
    assert torch.allclose(product.norms(), norms, rtol=1e-4)
    factors = torch.tensor([1.0, 0.5, 0.0])
    assert torch.allclose(product.summed(factors), product.written().summed(factors), atol=1e-6)


@pytest.mark.parametrize("name", STACKS)
def test_patches_made_a_few_records_at_a_time_are_the_same(name, monkeypatch):
    network_, shape = network(name)
    records, weights = batch(shape, [1] * 5), torch.from_numpy(network_.give())
    ours = engine("layerwise", network_.module, network_.loss, 0.3, 64)
    whole = ours.clipped_sum(weights, *records)
    for one in (1, 3000):  # numbers: a record at a time, and runs of records with fewer in the last
        monkeypatch.setattr(layers, "AT_ONCE", one)
        assert float((ours.clipped_sum(weights, *records) - whole).abs().max()) <= 1e-6


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, rows):
        return self.layer(torch.tanh(self.layer(rows)))


class OwnLinear(nn.Linear):
    """A subclass, which could do anything with its weights."""


@pytest.mark.parametrize(
    "module",
    [Twice(), OwnLinear(3, 2), nn.Embedding(3, 2), nn.Conv1d(3, 2, 1, padding_mode="circular"),
     nn.Conv1d(3, 2, 3, padding="same"), nn.InstanceNorm1d(3, affine=True, track_running_stats=True)],
    ids=lambda module: type(module).__name__,
)  # fmt: skip
def test_what_it_does_not_know_is_refused(module):
    weights = torch.nn.utils.parameters_to_vector(module.parameters()).detach()
    with pytest.raises(ModelRefused) as refused:
        engine("layerwise", module, cross_entropy, 1.0, 8).clipped_sum(weights, *batch((3,), [1, 1]))
    assert refused.value.code == "model.no-gradient"
