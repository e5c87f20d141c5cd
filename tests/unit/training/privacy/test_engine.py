"""The clipped sum is Opacus' to 1e-6, counts patients instead of records, and survives what is not a number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer
from torch import nn

from training.errors import ModelRefused
from training.models.networks import Network, heart_network
from training.privacy.engine import PatientEngine, capacity, linear_chain


class Linear(nn.Linear):
    """Its own type: what it does is not known, so each gradient is taken by itself."""


def records(count, seed=0, scale=1.0):
    random = np.random.default_rng(seed)
    features = (scale * random.normal(size=(count, 13))).astype(np.float32)
    return features, random.integers(0, 2, count), np.arange(count)


def flat(network):
    return torch.from_numpy(network.give())


def opacus_sum(network, features, labels, clip):
    module = GradSampleModule(network.module.train())
    optimizer = DPOptimizer(
        torch.optim.SGD(module.parameters(), lr=1.0), noise_multiplier=0.0, max_grad_norm=clip, expected_batch_size=1
    )
    network.loss(module(torch.from_numpy(features)), torch.from_numpy(labels)).backward()
    optimizer.clip_and_accumulate()
    total = torch.cat([parameter.summed_grad.flatten() for parameter in module.parameters()])
    module.to_standard_module()
    return total


@pytest.mark.parametrize("hidden", [0, 8, 16])
@pytest.mark.parametrize(("clip", "scale"), [(1.0, 1.0), (0.01, 1.0), (100.0, 1.0), (1.0, 3.0)])
@pytest.mark.parametrize("count", [1, 15, 16, 17, 100])
def test_sums_are_opacus(hidden, clip, scale, count):
    torch.manual_seed(hidden)
    network = heart_network(hidden)
    features, labels, owners = records(count, scale=scale)
    ours = PatientEngine(network.module, network.loss, clip).clipped_sum(flat(network), features, labels, owners)
    theirs = opacus_sum(network, features, labels, clip)
    assert float((ours - theirs).abs().max()) <= 1e-6 * max(1.0, float(theirs.abs().max()))


def test_a_patient_is_clipped_once_however_many_records():
    network = heart_network(8)
    features, labels, _ = records(12, scale=50.0)
    owners = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2])
    engine = PatientEngine(network.module, network.loss, clip=0.5)
    total = engine.clipped_sum(flat(network), features, labels, owners)
    alone = [
        engine.clipped_sum(flat(network), features[owners == p], labels[owners == p], np.zeros(sum(owners == p), int))
        for p in range(3)
    ]
    assert torch.allclose(total, sum(alone), atol=1e-6)
    assert all(float(one.norm()) <= 0.5 * (1 + 1e-6) for one in alone)


def test_a_patients_gradient_is_the_mean_of_the_records():
    network = heart_network(0)
    features, labels, owners = records(6)
    engine = PatientEngine(network.module, network.loss, clip=1e6)
    one = engine.clipped_sum(flat(network), features, labels, np.zeros(6, int))
    assert torch.allclose(one, engine.clipped_sum(flat(network), features, labels, owners) / 6, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_a_gradient_that_is_no_number_counts_as_zero(bad):
    network = heart_network(8)
    features, labels, owners = records(20)
    engine = PatientEngine(network.module, network.loss, clip=1.0)
    rest = engine.clipped_sum(flat(network), features[1:], labels[1:], owners[1:] - 1)
    features[0] = bad
    total = engine.clipped_sum(flat(network), features, labels, owners)
    assert torch.isfinite(total).all()
    if np.isfinite(bad):
        assert float((total - rest).norm()) <= 1 + 1e-5
    else:
        assert torch.allclose(total, rest, atol=1e-6)


def test_one_bad_record_takes_its_patient_along_and_nobody_else():
    network = heart_network(8)
    features, labels, _ = records(6)
    owners = np.array([0, 0, 1, 1, 2, 2])
    features[3, 0] = np.nan
    engine = PatientEngine(network.module, network.loss, clip=1.0)
    total = engine.clipped_sum(flat(network), features, labels, owners)
    rest = engine.clipped_sum(flat(network), features[[0, 1, 4, 5]], labels[[0, 1, 4, 5]], np.array([0, 0, 1, 1]))
    assert torch.allclose(total, rest, atol=1e-6)


@pytest.mark.parametrize("kind", [nn.Linear, Linear])
def test_a_gradient_that_overflows_in_one_layer_is_zero_in_all(kind):
    """Where the first layer overflows and the second shuts, the last one's gradient is a number: it must not pass."""
    module = nn.Sequential(kind(2, 1), nn.ReLU(), kind(1, 1), nn.ReLU(), kind(1, 1))
    assert (linear_chain(module) is None) == (kind is Linear)
    weights = torch.tensor([3.0, 3.0, 0.0, -1.0, 0.0, 1.0, 0.0])
    engine = PatientEngine(module, heart_network(0).loss, clip=0.1)
    features = np.array([[3e38, 3e38], [1.0, 1.0]], dtype=np.float32)
    both = engine.clipped_sum(weights, features, np.ones(2, int), np.arange(2))
    good = engine.clipped_sum(weights, features[1:], np.ones(1, int), np.arange(1))
    assert torch.equal(both, good) and float(good.norm()) == pytest.approx(0.1, abs=1e-5)


def test_weights_that_are_no_numbers_give_zeros():
    network = heart_network(8)
    weights = torch.full_like(flat(network), float("nan"))
    assert not PatientEngine(network.module, network.loss, 1.0).clipped_sum(weights, *records(5)).any()


def test_nobody_sampled_sums_to_zero():
    network = heart_network(0)
    total = PatientEngine(network.module, network.loss, 1.0).clipped_sum(flat(network), *records(0))
    assert total.shape == (14,) and not total.any()


def test_a_trace_serves_new_weights_and_new_records():
    network = heart_network(8)
    engine = PatientEngine(network.module, network.loss, 1.0)
    engine.clipped_sum(flat(network), *records(10, seed=1))
    features, labels, owners = records(13, seed=2)
    network.take(np.random.default_rng(3).normal(size=network.parameters).astype(np.float32))
    ours = engine.clipped_sum(flat(network), features, labels, owners)
    assert len(engine._traces) == 1
    assert torch.allclose(ours, opacus_sum(network, features, labels, 1.0), atol=1e-6)


def test_a_network_that_draws_random_numbers_is_refused():
    module = torch.nn.Sequential(torch.nn.Linear(13, 1), torch.nn.Dropout(0.5)).train()
    engine = PatientEngine(module, lambda outputs, labels: outputs.sum(), 1.0)
    with pytest.raises(ModelRefused) as refusal:
        engine.clipped_sum(torch.zeros(14), *records(4))
    assert refusal.value.code == "model.no-gradient"


LOSS = heart_network(0).loss


def chain(*layers):
    torch.manual_seed(1)
    return Network(torch.nn.Sequential(*layers).eval(), LOSS, lambda o, labels: (o[:, 0] > 0) == labels)


CHAINS = {
    "deep": lambda: chain(torch.nn.Linear(13, 9), torch.nn.GELU(), torch.nn.Linear(9, 7), torch.nn.ReLU(),
                          torch.nn.Linear(7, 1)),
    "without bias": lambda: chain(torch.nn.Flatten(), torch.nn.Linear(13, 9, bias=False), torch.nn.Sigmoid(),
                                  torch.nn.Linear(9, 1, bias=False)),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_closed_form_and_single_gradients_agree_with_opacus(name):
    """A record split in two halves of the same patient takes the general way, which must give the same sum."""
    network = CHAINS[name]()
    features, labels, owners = records(40, scale=2.0)
    engine = PatientEngine(network.module, network.loss, 0.3)
    closed = engine.clipped_sum(flat(network), features, labels, owners)
    general = engine.clipped_sum(flat(network), features.repeat(2, 0), labels.repeat(2), owners.repeat(2))
    assert sorted(slots for _, slots in engine._traces) == [0, 48]  # both ways were gone
    theirs = opacus_sum(network, features, labels, 0.3)
    assert torch.allclose(closed, theirs, atol=1e-6 * float(theirs.abs().max().clamp(min=1)))
    assert torch.allclose(closed, general, atol=1e-6 * float(theirs.abs().max().clamp(min=1)))


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e15, 1e30])
def test_a_record_far_out_of_range_is_clipped_all_the_same(scale):
    """Squares of such numbers leave float32: a norm of zero or infinity would let the record through, or lose it."""
    network = heart_network(0)
    features, labels, owners = records(1, scale=scale)
    total = PatientEngine(network.module, network.loss, 1e-3).clipped_sum(flat(network), features, labels, owners)
    assert float(total.double().norm()) == pytest.approx(1e-3, rel=1e-2)


class Centred(torch.nn.Module):
    def forward(self, rows):
        return rows - rows.mean(0)


@pytest.mark.parametrize(
    "layer",
    [Centred(), torch.nn.Softmax(0), torch.nn.ReLU(inplace=True), torch.nn.PReLU(), torch.nn.LayerNorm(5),
     torch.nn.Dropout(0.1), type("Odd", (torch.nn.Tanh,), {})(), type("Own", (torch.nn.Sequential,), {
         "forward": lambda self, rows: rows})()],
)  # fmt: skip
def test_only_known_layers_make_a_chain(layer):
    assert linear_chain(torch.nn.Sequential(torch.nn.Linear(13, 5), layer, torch.nn.Linear(5, 1))) is None


def test_a_layer_used_twice_makes_no_chain():
    shared = torch.nn.Linear(13, 13)
    assert linear_chain(torch.nn.Sequential(shared, torch.nn.Tanh(), shared)) is None


def test_the_tabular_network_is_a_chain():
    assert [type(layer) for layer in linear_chain(heart_network(4).module)] == [
        torch.nn.Linear, torch.nn.Tanh, torch.nn.Linear,
    ]  # fmt: skip


def test_capacities_hold_what_they_must():
    sizes = [capacity(count) for count in range(1, 5000)]
    assert all(size >= count for count, size in zip(range(1, 5000), sizes, strict=True))
    assert len(set(sizes)) < 20
    assert all(size <= 2 * count for count, size in zip(range(8, 5000), sizes[7:], strict=True))
