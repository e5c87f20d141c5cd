"""Survival by intervals: the loss is each patient's own likelihood, and what is judged is who was observed for it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from training.errors import ModelRefused
from training.models import failure, preflight, registry
from training.models.networks import Network
from training.models.preflight import check

NETWORK = registry.build(failure.DEFAULTS.configuration())
HAZARDS = (0.1, 0.2, 0.3, 0.05, 0.4, 0.5)
LOGITS = torch.tensor([[math.log(hazard / (1 - hazard)) for hazard in HAZARDS]])


def lived(intervals):
    return math.prod(1 - hazard for hazard in HAZARDS[:intervals])


@pytest.mark.parametrize(
    ("days", "event", "likelihood"),
    [
        (0, True, HAZARDS[0]),
        (0, False, 1.0),
        (29.5, True, HAZARDS[0]),
        (30, True, lived(1) * HAZARDS[1]),
        (100, True, lived(3) * HAZARDS[3]),
        (100, False, lived(3)),
        (239, True, lived(5) * HAZARDS[5]),
        (240, True, lived(6)),
        (4000, False, lived(6)),
    ],
)
def test_the_loss_is_the_likelihood_of_what_was_seen_of_a_patient(days, event, likelihood):
    loss = NETWORK.loss(LOGITS, torch.tensor([failure.label(days, event)]))
    assert float(loss) == pytest.approx(-math.log(likelihood), abs=1e-5)


def test_a_patients_loss_depends_on_no_other_patient():
    random = np.random.default_rng(2)
    records = random.normal(size=(12, failure.INPUTS)).astype(np.float32)
    labels = random.integers(0, 2 * len(failure.CUTS) + 1, 12)
    check(NETWORK, records, labels)
    outputs = NETWORK.module(torch.from_numpy(records))
    alone = [NETWORK.loss(outputs[place : place + 1], torch.tensor(labels[place : place + 1])) for place in range(12)]
    together = NETWORK.loss(outputs, torch.from_numpy(labels))
    assert float(together.detach()) == pytest.approx(float(torch.stack(alone).mean()), abs=1e-6)


def test_coxs_partial_likelihood_is_refused_because_every_patient_stands_in_others_terms():
    """Breslow's form: each event is compared with all who were still at risk then."""

    def partial(outputs, labels):
        risk, time, event = outputs[:, 0], labels // 2, labels % 2
        at_risk = torch.where(time[None] >= time[:, None], risk[None], -torch.inf).logsumexp(1)
        return ((at_risk - risk) * event).mean()

    module = torch.nn.Linear(failure.INPUTS, 1)
    records = np.random.default_rng(3).normal(size=(8, failure.INPUTS)).astype(np.float32)
    labels = np.array([1, 3, 5, 7, 9, 11, 2, 4])
    for engine in ("torch.func", "opacus-hooks"):
        with pytest.raises(ModelRefused) as refusal:
            preflight.check(Network(module, partial, NETWORK.judge), records, labels, engine)
        assert refusal.value.code == "model.not-finite"  # a patient alone with their own risk learns nothing


def test_who_was_not_observed_up_to_the_horizon_is_not_judged():
    risky, safe = torch.full((1, 6), 0.0), torch.full((1, 6), -6.0)
    outputs = torch.cat([risky, risky, safe, safe, risky, safe])
    seen = [(119, True), (120, True), (120, False), (50, True), (119, False), (0, False)]
    judged = NETWORK.judge(outputs, torch.tensor([failure.label(days, event) for days, event in seen]))
    assert judged[:4].tolist() == [1, 0, 1, 0] and judged[4:].isnan().all()


def test_one_risk_moves_all_intervals_and_a_base_hazard_is_its_own():
    network = registry.build(failure.DEFAULTS.configuration())
    network.take(registry.initial_weights(failure.DEFAULTS.configuration(), 3))
    with torch.no_grad():
        assert not network.module.base.any()
        network.module.base += torch.arange(6.0)
        two = network.module(torch.from_numpy(np.random.default_rng(1).normal(size=(2, 11)).astype(np.float32)))
    assert torch.allclose(two[0] - two[0, 0], two[1] - two[1, 0], atol=1e-5)


@pytest.mark.parametrize("hidden", [-1, 1025])
def test_a_width_out_of_range_is_refused(hidden):
    with pytest.raises(ModelRefused) as refusal:
        registry.configuration(failure.DEFAULTS.configuration() | {"hidden": hidden})
    assert refusal.value.code == "model.configuration"
