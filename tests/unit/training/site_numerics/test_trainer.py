"""What leaves the trainer is noised as the plan says, on exactly the records given, and learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.utils import set_determinism
from scipy import stats

from training.errors import TrainingError
from training.federation.studies import Dataset, MetricNoise, Plan, Privacy
from training.models import registry
from training.site.stores import Records
from training.site.trainer import SiteTrainer, evaluate, group, noised_counts, train

CONFIGURATION = {"model": "heart-fcn", "hidden": 4, "learning_rate": "0.7", "local_steps": 5, "features": "fed-heart-1"}
PRIVACY = {
    "clip": "1.5", "sigma": "2.4", "q": "0.3", "steps": 5, "delta": "0.0001", "records_per_patient": 1,
    "unit": "patient",
}  # fmt: skip
START = registry.initial_weights(CONFIGURATION, 1)
NOBODY = np.zeros((0, 13), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64)


def plan(**changes):
    parts = {
        "title": "t", "request": "r", "code": "c", "configuration": CONFIGURATION, "initial": "i", "rounds": 12,
        "spare_attempts": 1, "quorum": 2, "min_cohort": 20, "datasets": (Dataset("h/d", 1, 207, "62.1"),),
        "privacy": Privacy(**PRIVACY), "metrics": MetricNoise("2"), "cohort_seconds": 60, "update_seconds": 60,
        "on_withdrawal": "finish",
    }  # fmt: skip
    return Plan(**(parts | changes))


def as_stored(records):
    return Records(records.features, records.labels, records.owners.astype(np.int64))


def test_two_calls_on_the_same_records_never_agree(hospitals):
    records = hospitals["cleveland"]
    updates = []
    for _ in range(2):
        set_determinism(0)
        updates.append(train(START, records.features, records.labels, records.owners, PRIVACY, CONFIGURATION, "62.1"))
    assert updates[0].dtype == np.float32 and updates[0].shape == START.shape
    assert not (updates[0] == updates[1]).any()


def test_a_round_without_patients_is_noise_of_the_claimed_size():
    """Chi-squared over 200 rounds through the public door, from plan to update."""
    noise = np.concatenate([train(START, *NOBODY, PRIVACY, CONFIGURATION, 62.1) for _ in range(200)]).astype(float)
    claimed = 0.7 / 62.1 * 2.4 * 1.5 * np.sqrt(5)
    square = float((noise / claimed) @ (noise / claimed))
    assert 2 * min(stats.chi2.cdf(square, len(noise)), stats.chi2.sf(square, len(noise))) > 1e-6
    assert stats.kstest(noise / claimed, "norm").pvalue > 1e-6


@pytest.mark.parametrize(("frozen", "clip"), [((), 1.5), (("hidden_0",), 0.2)])
def test_with_little_noise_it_is_plain_dp_sgd(hospitals, frozen, clip):
    """q = 1 and hardly any noise: five full-batch steps, done here by plain autograd, one patient at a time. What is
    frozen has no part in the norm that is clipped.
    """
    records, configuration = hospitals["switzerland"], CONFIGURATION | {"frozen": frozen}
    network, trains = registry.build(CONFIGURATION), registry.trained(registry.configuration(configuration))
    weights = torch.from_numpy(START.astype(np.float64))
    for _ in range(5):
        network.take(weights.numpy().astype(np.float32))
        total = torch.zeros_like(weights)
        for row, label in zip(torch.from_numpy(records.features), torch.from_numpy(records.labels), strict=True):
            network.module.zero_grad()
            network.loss(network.module(row[None]), label[None]).backward()
            gradient = torch.cat([parameter.grad.flatten() for parameter in network.module.parameters()])
            gradient *= torch.from_numpy(trains)
            total += (gradient * min(1.0, clip / (float(gradient.norm()) + 1e-6))).double()
        weights = weights - 0.7 / 20 * total
    expected = weights.numpy() - START
    quiet = PRIVACY | {"sigma": "0.0000001", "q": "1", "clip": str(clip)}
    ours = train(START, records.features, records.labels, records.owners, quiet, configuration, "20")
    assert ours == pytest.approx(expected, abs=2e-5)


def test_the_order_and_names_of_patients_do_not_matter(hospitals):
    records = hospitals["switzerland"]
    quiet = PRIVACY | {"sigma": "0.0000001", "q": "1"}
    one = train(START, records.features, records.labels, records.owners, quiet, CONFIGURATION, "20")
    other = train(
        START, records.features[::-1].copy(), records.labels[::-1].copy(), records.owners * 7 + 100, quiet,
        CONFIGURATION, "20",
    )  # fmt: skip
    assert one == pytest.approx(other, abs=2e-5)


def test_records_stay_with_their_patient():
    owners = np.array([7, 3, 7, 9, 3, 7])
    features = np.arange(6, dtype=np.float32)[:, None] * np.ones((1, 13), np.float32)
    patients = group(features, np.arange(6), owners, 3)
    assert len(patients) == 3
    rows, labels, places = patients.sample(np.array([0, 2]))
    assert (rows[:, 0].tolist(), labels.tolist(), places.tolist()) == ([1, 4, 3], [1, 4, 3], [0, 0, 1])
    rows, labels, places = patients.sample(np.array([1]))
    assert (labels.tolist(), places.tolist()) == ([0, 2, 5], [0, 0, 0])
    assert len(patients.sample(np.array([], dtype=np.intp))[0]) == 0


def test_it_learns(hospitals):
    records = hospitals["cleveland"]
    weights, plain = START, PRIVACY | {"sigma": "0.1"}
    for _ in range(12):
        weights = weights + train(
            weights, records.features, records.labels, records.owners, plain, CONFIGURATION, "91.2"
        )
    correct, total = evaluate(weights, records.features, records.labels, records.owners, CONFIGURATION)
    assert total == 304 and correct / total > 0.78


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"expected_batch": "0"}, "training.expected-batch"),
        ({"expected_batch": "nan"}, "training.expected-batch"),
        ({"expected_batch": "many"}, "training.expected-batch"),
        ({"privacy": PRIVACY | {"steps": 4}}, "training.steps"),
        ({"privacy": PRIVACY | {"sigma": "0"}}, "privacy.sigma"),
        ({"configuration": CONFIGURATION | {"model": "other"}}, "model.unknown"),
        ({"weights": START[:-1]}, "weights.shape"),
        ({"weights": START.astype(np.float64)}, "weights.shape"),
        ({"owners": np.zeros(46, np.int64)}, "records.per-patient"),
        ({"owners": np.arange(45)}, "records.shape"),
        ({"features": np.zeros((46, 13))}, "records.shape"),
        ({"features": np.zeros((46, 12), np.float32)}, "records.shape"),
    ],
)
def test_what_does_not_fit_is_refused(hospitals, change, code):
    records = hospitals["switzerland"]
    arguments = {
        "weights": START, "features": records.features, "labels": records.labels, "owners": records.owners,
        "privacy": PRIVACY, "configuration": CONFIGURATION, "expected_batch": "6",
    }  # fmt: skip
    with pytest.raises(TrainingError) as refusal:
        train(**(arguments | change))
    assert refusal.value.code == code


def test_divergence_is_refused():
    wild = CONFIGURATION | {"learning_rate": "1000"}
    with pytest.raises(TrainingError) as refusal:
        train(START, *NOBODY, PRIVACY | {"sigma": "1e30", "clip": "1e8"}, wild, "0.001")
    assert refusal.value.code == "training.diverged"


def test_a_site_trains_and_measures_from_its_plan(hospitals):
    records = as_stored(hospitals["cleveland"])
    trainer = SiteTrainer()
    update = trainer.train(START, records, plan(), 62.1)
    assert update.shape == START.shape
    counts = trainer.measure(START + update, records, plan())
    assert set(counts) == {"correct", "total"} and all(type(value) is int for value in counts.values())
    assert abs(counts["total"] - 304) < 40


def test_a_patient_counts_once_in_accuracy_and_right_where_most_records_are(hospitals):
    records = hospitals["cleveland"]
    classes = records.labels[:1].repeat(7)
    features = records.features[:1].repeat(7, 0)
    right = evaluate(START, features[:1], classes[:1], np.zeros(1, int), CONFIGURATION)[0]
    labels = np.where([1, 1, 0, 1, 0, 0, 1], classes, 1 - classes)  # told as it is in most, in few, in the half
    owners = np.array([5, 5, 5, 2, 2, 2, 2])
    mine = evaluate(START, features, labels, owners, CONFIGURATION)
    assert mine == ((1, 2) if right else (0, 2))


def test_nobody_held_out_counts_nothing():
    assert evaluate(START, *NOBODY, CONFIGURATION) == (0, 0)


def test_counts_are_noised_by_sigma_times_root_two():
    noise = np.array([noised_counts(70, 90, 5.0) for _ in range(4000)]) - np.array([70, 90])
    assert noise.std(axis=0) == pytest.approx(5 * np.sqrt(2), rel=0.06)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.08
    assert abs(noise.mean(axis=0)).max() < 0.6


def test_a_patient_with_ten_thousand_records_moves_the_sum_by_the_clip_at_most():
    """Beside one of whom only the bias knows: both together no further than two clips a step, hardly any noise."""
    features, labels = np.full((10_001, 13), 50.0, np.float32), np.zeros(10_001, np.int64)
    features[-1] = 0.0
    owners = np.append(np.zeros(10_000, np.int64), 1)
    privacy = PRIVACY | {"sigma": "0.0000001", "q": "1", "steps": 1, "records_per_patient": 10_000}
    once = CONFIGURATION | {"local_steps": 1}
    moved = train(START, features, labels, owners, privacy, once, "1")
    assert 0.7 * 1.5 * 0.9 < np.linalg.norm(moved) < 0.7 * 1.5 * 2.001
    with pytest.raises(TrainingError, match=r"records\.per-patient"):
        train(START, features, labels, owners, privacy | {"records_per_patient": 9_999}, once, "1")
