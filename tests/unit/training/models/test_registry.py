"""Names become networks; the hub's torch-free view of a network agrees with the network itself."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from training.errors import ModelRefused
from training.models import chest, coronary, failure, heart, registry
from training.models.heart import DEFAULTS

CONFIGURATION = DEFAULTS.configuration()


@pytest.mark.parametrize("hidden", [0, 1, 8, 64])
def test_the_shapes_are_the_modules(hidden):
    network = registry.build(CONFIGURATION | {"hidden": hidden})
    assert {name: tuple(p.shape) for name, p in network.module.named_parameters()} == dict(heart.shapes(hidden))
    assert list(heart.shapes(hidden)) == [name for name, _ in network.module.named_parameters()]
    assert registry.parameters(CONFIGURATION | {"hidden": hidden}) == network.parameters


@pytest.mark.parametrize(
    ("defaults", "hidden"),
    [
        *((chest.DEFAULTS, hidden) for hidden in (1, 16, 64)),
        *((failure.DEFAULTS, hidden) for hidden in (0, 1, 8)),
        *((coronary.DEFAULTS, hidden) for hidden in (0, 1, 8)),
    ],
)
def test_the_shapes_of_the_other_networks_are_the_modules(defaults, hidden):
    configuration = defaults.configuration() | {"hidden": hidden, "frozen": []}
    network = registry.build(configuration)
    expected = [(name, tuple(parameter.shape)) for name, parameter in network.module.named_parameters()]
    assert list(registry.shapes(configuration).items()) == expected
    assert registry.parameters(configuration) == network.parameters


def test_a_normalisation_starts_at_scale_one_and_shift_zero():
    configuration = chest.DEFAULTS.configuration() | {"frozen": []}
    network = registry.build(configuration)
    network.take(registry.initial_weights(configuration, 7))
    norms = [layer for layer in network.module.modules() if isinstance(layer, torch.nn.GroupNorm)]
    assert norms and all((layer.weight == 1).all() and not layer.bias.any() for layer in norms)
    first = network.module.features.conv0.weight
    assert 0.8 / 7 < float(first.detach().abs().max()) <= 1 / 7


@pytest.mark.parametrize("hidden", [0, 65, -4])
def test_a_growth_rate_out_of_range_is_refused(hidden):
    with pytest.raises(ModelRefused) as refusal:
        registry.configuration(chest.DEFAULTS.configuration() | {"hidden": hidden})
    assert refusal.value.code == "model.configuration"


def test_a_study_of_images_trains_the_last_layer_alone_unless_its_plan_says_otherwise():
    configuration = chest.DEFAULTS.configuration()
    trained = registry.trained(registry.configuration(configuration))
    assert (trained.sum(), len(trained)) == (129, 34305)
    assert not trained[:-129].any()
    assert registry.trained(registry.configuration(configuration | {"frozen": []})).all()


def test_the_network_follows_from_the_data_sets():
    assert registry.of_transformations([f"chest-28@{'00' * 32}"] * 2).model == "chest-densenet"
    assert registry.of_transformations([f"fed-heart-1@{'00' * 32}"]).model == "heart-fcn"
    assert registry.of_transformations([f"heart-failure-1@{'00' * 32}"]).model == "failure-hazard"
    assert registry.of_transformations([f"omop-coronary-1@{'00' * 32}"]).model == "coronary-fcn"
    assert registry.of_transformations([f"ct-32@{'00' * 32}"]).model == "ct-unet"


@pytest.mark.parametrize("names", [[], ["chest-28@00", "fed-heart-1@00"], ["chest-56@00"]])
def test_data_sets_that_no_network_takes_together_are_refused(names):
    with pytest.raises(ModelRefused) as refusal:
        registry.of_transformations(names)
    assert refusal.value.code == "model.data"


def test_flat_weights_go_in_and_come_out():
    network = registry.build(CONFIGURATION)
    weights = registry.initial_weights(CONFIGURATION, 7)
    network.take(weights)
    assert (network.give() == weights).all()
    names = dict(network.module.named_parameters())
    first = next(iter(names.values()))
    assert (first.detach().flatten().numpy() == weights[: first.numel()]).all()


@pytest.mark.parametrize("weights", [np.zeros(3, np.float32), np.zeros(14, np.float64), np.zeros((14, 1), np.float32)])
def test_weights_of_another_shape_are_refused(weights):
    with pytest.raises(ModelRefused) as refusal:
        registry.build(CONFIGURATION | {"hidden": 0}).take(weights)
    assert refusal.value.code == "weights.shape"


def test_initial_weights_follow_their_seed_and_nothing_else():
    torch.manual_seed(1)
    one = registry.initial_weights(CONFIGURATION, 42)
    torch.manual_seed(2)
    np.random.seed(3)
    assert (registry.initial_weights(CONFIGURATION, 42) == one).all()
    assert not (registry.initial_weights(CONFIGURATION, 43) == one).any()
    assert one.dtype == np.float32


def test_initial_weights_are_the_same_on_every_machine():
    """A test vector: a plan on the ledger names the digest of these numbers."""
    weights = registry.initial_weights(CONFIGURATION | {"hidden": 0}, 7)
    assert weights[:3] == pytest.approx([-0.2019182, -0.24845396, 0.02495089], abs=1e-7)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": "heart-cnn"}, "model.unknown"),
        ({"features": "fed-heart-2"}, "model.features"),
        ({"hidden": -1}, "model.configuration"),
        ({"hidden": 100_000}, "model.configuration"),
        ({"hidden": "8"}, "model.configuration"),
        ({"learning_rate": "0"}, "model.configuration"),
        ({"learning_rate": "fast"}, "model.configuration"),
        ({"learning_rate": "nan"}, "model.configuration"),
        ({"local_steps": 0}, "model.configuration"),
        ({"dropout": "0.5"}, "model.configuration"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(change, code):
    with pytest.raises(ModelRefused) as refusal:
        registry.configuration(CONFIGURATION | change)
    assert refusal.value.code == code


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ModelRefused) as refusal:
        registry.initial_weights(CONFIGURATION, seed)
    assert refusal.value.code == "model.seed"


def test_what_the_hub_and_the_portal_import_brings_no_torch():
    modules = (
        "training.models.registry, training.models.heart, training.models.chest, training.models.failure, "
        "training.models.volume, training.models.coronary, training.site.omop, "
        "training.privacy.accountants, "
        "training.privacy.calibration, "
        "training.privacy.noise, training.site.loader, training.site.split, training.site.roots, training.site.heart, "
        "training.site.failure, training.site.images, training.site.volumes, "
        "training.privacy.mechanism, training.site.outgoing"
    )
    program = f"import sys, {modules}\nprint(sorted({{'torch', 'monai', 'pandas', 'scipy'}} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_a_worker_keeps_to_one_thread():
    registry.build(CONFIGURATION)
    assert torch.get_num_threads() == 1
