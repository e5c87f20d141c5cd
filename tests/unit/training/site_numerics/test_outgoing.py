"""What leaves is what the plan's mechanism makes: mistakes are refused, true updates never."""

from __future__ import annotations

import numpy as np
import pytest

from training.errors import OutgoingRefused
from training.models import registry
from training.site.outgoing import Limits, inspect
from training.site.trainer import train

CONFIGURATION = {"model": "heart-fcn", "hidden": 4, "learning_rate": "0.7", "local_steps": 5, "features": "fed-heart-1"}
PRIVACY = {
    "clip": "1.5", "sigma": "2.4", "q": "0.3", "steps": 5, "delta": "0.0001", "records_per_patient": 1,
    "unit": "patient",
}  # fmt: skip
START = registry.initial_weights(CONFIGURATION, 1)
LIMITS = Limits.of(PRIVACY, CONFIGURATION, 27.6, np.arange(130))


def refused(update) -> str:
    with pytest.raises(OutgoingRefused) as refusal:
        inspect(update, LIMITS)
    return refusal.value.code


@pytest.fixture(scope="module")
def update(hospitals):
    records = hospitals["va-long-beach"]
    return train(START, records.features, records.labels, records.owners, PRIVACY, CONFIGURATION, 27.6)


@pytest.mark.parametrize(("hidden", "frozen"), [(0, ()), (4, ()), (64, ()), (64, ("hidden_0",))])
@pytest.mark.parametrize("patients", [0, 130])
def test_true_updates_leave(hospitals, hidden, frozen, patients):
    configuration = CONFIGURATION | {"hidden": hidden, "frozen": frozen}
    start = registry.initial_weights(configuration, 1)
    records = hospitals["va-long-beach"].of(hospitals["va-long-beach"].patients[:patients])
    limits = Limits.of(PRIVACY, configuration, 27.6, records.owners)
    for _ in range(20):
        made = train(start, records.features, records.labels, records.owners, PRIVACY, configuration, 27.6)
        inspect(made, limits)


def test_another_type_is_refused(update):
    assert refused(update.astype(np.float64)) == "outgoing.type"
    assert refused(update.tolist()) == "outgoing.type"
    assert refused(None) == "outgoing.type"


def test_another_shape_is_refused(update):
    assert refused(update[:-1]) == "outgoing.shape"
    assert refused(update[None]) == "outgoing.shape"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(update, bad):
    update = update.copy()
    update[3] = bad
    assert refused(update) == "outgoing.not-finite"


def test_an_update_longer_than_clipping_allows_is_refused(update):
    assert refused(update * np.float32(1000)) == "outgoing.too-long"


def test_an_update_without_noise_is_refused(hospitals, update):
    assert refused(np.zeros_like(update)) == "outgoing.no-noise"
    records = hospitals["va-long-beach"]
    quiet = PRIVACY | {"sigma": "0.001"}
    hardly = train(START, records.features, records.labels, records.owners, quiet, CONFIGURATION, 2760)
    assert refused(hardly) == "outgoing.no-noise"


def test_a_refusal_shows_no_number_of_the_update(update):
    with pytest.raises(OutgoingRefused) as refusal:
        inspect(np.full_like(update, 123456), LIMITS)
    assert "123456" not in f"{refusal.value!r}{refusal.value.context}"


def test_a_frozen_weight_that_moves_stays_here(hospitals):
    configuration = CONFIGURATION | {"frozen": ["hidden_0"]}
    start, records = registry.initial_weights(configuration, 1), hospitals["cleveland"]
    made = train(start, records.features, records.labels, records.owners, PRIVACY, configuration, 27.6)
    limits = Limits.of(PRIVACY, configuration, 27.6, records.owners)
    inspect(made, limits)
    made[0] = 1e-6
    with pytest.raises(OutgoingRefused, match=r"outgoing\.frozen"):
        inspect(made, limits)
