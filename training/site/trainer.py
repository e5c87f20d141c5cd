"""DP-SGD on one hospital's cohort: what goes in is records, what comes out is noised.

Each of the round's local steps takes a fresh Poisson sample of patients, adds Gaussian noise of standard deviation
sigma * clip to the clipped sum of their gradients, and divides by a public constant, never by the sample's size: with
none sampled, the noise alone moves the weights (Abadi et al. 2016, arXiv 1607.00133, algorithm 1; Poisson as analysed).
The steps' noised sums are the release that the plan's event describes; the update is computed from them alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from training.errors import ModelRefused, TrainingError
from training.federation.studies import Plan
from training.models import preflight, registry
from training.models.description import Configuration, Description
from training.models.networks import Network
from training.models.weights import Weights
from training.privacy import engines
from training.privacy.device import Setting, chosen
from training.privacy.engines import Engine
from training.privacy.events import require_sigma
from training.privacy.mechanism import Mechanism, number
from training.privacy.noise import Keystream
from training.privacy.sampling import poisson_sample
from training.site import outgoing
from training.site.stores import Records

DEVICE_TOLERANCE = (
    1e-4  # of the sum's length, for float32 in another order; a GPU's shorter floats are a thousandth off
)


class SiteTrainer:
    """The trainer of a site: nothing leaves it unfiltered or without noise (training.site.stores.Trainer)."""

    def __init__(self, device: Setting = "cpu") -> None:
        self._setting: Setting = device

    def rehearse(self, plan: Plan) -> None:
        """One private step of the plan's network on made-up records, once a process.

        Errors as `preflight.check`, `device.chosen` and `agreed`.
        """
        configuration = alike(registry.configuration(plan.configuration))
        rehearsed(configuration)
        if (device := chosen(self._setting)) != "cpu":
            agreed(configuration, device)

    def train(self, weights: Weights, records: Records, plan: Plan, expected_batch: float) -> Weights:
        """The noised, filtered update. Errors as `train` and `outgoing.inspect`."""
        update = train(
            weights,
            records.features,
            records.labels,
            records.owners,
            plan.privacy,
            plan.configuration,
            expected_batch,
            chosen(self._setting),
        )
        outgoing.inspect(update, outgoing.Limits.of(plan.privacy, plan.configuration, expected_batch, records.owners))
        return update

    def measure(self, weights: Weights, records: Records, plan: Plan) -> Mapping[str, int]:
        """Noised `correct` and `total`, of patients: one is right where most of the patient's records are."""
        correct, total = evaluate(weights, records.features, records.labels, records.owners, plan.configuration)
        noised = noised_counts(correct, total, number(plan.metrics.sigma, "sigma"))
        return {"correct": noised[0], "total": noised[1]}


def train(  # noqa: PLR0917  # the joint with the site agent
    weights: Weights,
    features: NDArray[np.float32],
    labels: NDArray[np.integer],
    owners: NDArray[np.integer],
    privacy: object,
    configuration: object,
    expected_batch: float | str,
    device: str = "cpu",
) -> Weights:
    """One round at one site: the noised change of the weights, float32 (P,).

    `weights`: float32 (P,). `features`: float32 (n, ...); `labels`: whole numbers (n, ...); `owners`: (n,), equal for
    records of one patient. `privacy`, `configuration`: a plan's parts. `expected_batch` (> 0): the plan's constant.
    `device`: where clipped sums are taken.
    Raises PrivacyRefused `privacy.*`, ModelRefused `model.*`, `weights.shape`, TrainingError `records.*`,
    `training.steps`, `training.expected-batch`, `training.diverged`. No seed: see training.privacy.noise.
    """
    mechanism = Mechanism.of(privacy)
    checked = registry.configuration(configuration)
    if mechanism.event.steps != checked.local_steps:
        raise TrainingError("training.steps", "the plan's steps a round and local_steps must be the same number")
    if weights.shape != (registry.parameters(checked),) or weights.dtype != np.float32:
        raise ModelRefused("weights.shape", f"this network takes {registry.parameters(checked)} float32 weights")
    described = registry.description(checked)
    if (features.shape[1:], labels.shape[1:]) != (described.record, described.label):
        message = f"this network takes records of {described.record}, labels of {described.label}: prepare them again"
        raise TrainingError("records.shape", message)
    patients = group(features, labels, owners, mechanism.records_per_patient)
    step = Step(
        engine=engine(alike(checked), mechanism.clip, device),
        mechanism=mechanism,
        scale=registry.learning_rate(checked) / positive(expected_batch),
        trained=registry.trained(checked),
        stream=Keystream(),
    )
    return run(weights, patients, step, checked.local_steps)


@lru_cache(maxsize=8)
def rehearsed(configuration: Configuration) -> None:
    """The dry run of a network, remembered where it went well."""
    described = registry.description(configuration)
    preflight.check(registry.build(configuration), *made_up(described), described.engine)


@lru_cache(maxsize=8)
def agreed(configuration: Configuration, device: str) -> None:
    """Return quietly where `device` gives the processor's clipped sum, on made-up records.

    Raises ModelRefused `model.device-differs`, `model.no-gradient`.
    """
    records, labels = made_up(registry.description(configuration))
    here, there = (engine(configuration, 1.0, one) for one in ("cpu", device))
    owners = np.arange(len(records))
    for seed in range(3):  # a number that one device rounds to a rectifier's other side parts the sums of a draw or two
        batch = torch.from_numpy(registry.initial_weights(configuration, seed)), records, labels, owners
        expected = here.clipped_sum(*batch)
        if (there.clipped_sum(*batch) - expected).norm() <= DEVICE_TOLERANCE * expected.norm():
            return
    message = "the GPU gives another clipped sum than the processor does: set this site's device to cpu"
    raise ModelRefused("model.device-differs", message)


def made_up(described: Description) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Four records with labels: anything, not all alike."""
    shape = (4, *described.record)
    records = np.sin(np.arange(np.prod(shape), dtype=np.float32) ** 1.1).reshape(shape)
    labels = np.arange(4 * math.prod(described.label), dtype=np.int64).reshape(4, *described.label) % described.classes
    return records, labels


def alike(checked: Configuration) -> Configuration:
    """One configuration for all that train the same network the same way: a round's rate makes no other engine."""
    same = {"learning_rate": "1", "local_steps": 1, "schedule": "constant", "averaging": "0", "public_weights": None}
    return msgspec.structs.replace(checked, **same)


@lru_cache(maxsize=8)
def engine(configuration: Configuration, clip: float, device: str) -> Engine:
    """The engine of a network; it keeps traces between rounds, and no data, weights or noise."""
    network, described = registry.build(configuration), registry.description(configuration)
    return engines.engine(described.engine, network.module, network.loss, clip, described.rows, device=device)


@dataclass(frozen=True, slots=True)
class Patients:
    """Records sorted by patient: those of patient `p` stand at starts[p]:starts[p + 1]."""

    features: NDArray[np.float32]
    labels: NDArray[np.integer]
    starts: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def sample(self, chosen: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.intp]]:
        """Features, labels and owners (0.. in the order of `chosen`) of the chosen patients' records."""
        counts = self.starts[chosen + 1] - self.starts[chosen]
        owners = np.repeat(np.arange(len(chosen)), counts)
        offsets = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        places = np.repeat(self.starts[chosen], counts) + offsets
        return self.features[places], self.labels[places].astype(np.int64), owners


@dataclass(frozen=True, slots=True)
class Step:
    """One noised step; `scale`: learning rate over expected batch. `trained` (P,): the other weights stay."""

    engine: Engine
    mechanism: Mechanism
    scale: float
    trained: NDArray[np.bool_]
    stream: Keystream

    def change(self, weights: NDArray[np.float64], patients: Patients) -> NDArray[np.float64]:
        """How the weights move, float64 (P,)."""
        chosen = poisson_sample(len(patients), self.mechanism.event.q, self.stream)
        with np.errstate(over="ignore"):  # weights beyond float32 have no finite gradient; `run` refuses them
            rounded = torch.from_numpy(weights.astype(np.float32))
        total = self.engine.clipped_sum(rounded, *patients.sample(chosen)).numpy()[self.trained]
        noised = self.stream.normals(len(total))  # none for weights that stay: they are released as they are
        noised *= self.mechanism.noise
        noised += total
        noised *= -self.scale
        moved = np.zeros(len(weights))
        moved[self.trained] = noised
        return moved


def run(weights: Weights, patients: Patients, step: Step, steps: int) -> Weights:
    """`steps` steps from `weights`: the change they make together. Raises TrainingError `training.diverged`."""
    start = weights.astype(np.float64)
    current = start
    for _ in range(steps):
        current = current + step.change(current, patients)
    with np.errstate(over="ignore"):
        update: Weights = (current - start).astype(np.float32)
    if not np.isfinite(update).all():
        raise TrainingError("training.diverged", "the weights left the range of float32: lower the learning rate")
    return update


def group(
    features: NDArray[np.float32], labels: NDArray[np.integer], owners: NDArray[np.integer], most: int
) -> Patients:
    """Records by patient. Raises TrainingError `records.shape`, `records.per-patient` (one has more than `most`)."""
    if not (features.ndim >= 2 and features.dtype == np.float32 and len(features) == len(labels) == len(owners)):
        raise TrainingError("records.shape", "features must be float32 (n, ...), with n labels and n owners")
    order = np.argsort(owners, kind="stable")
    _, counts = np.unique(owners, return_counts=True)
    if len(counts) and counts.max() > most:
        raise TrainingError("records.per-patient", f"a patient has more than the plan's {most} records: prepare fewer")
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
    return Patients(features[order], labels[order], starts)


def evaluate(
    weights: Weights,
    features: NDArray[np.float32],
    labels: NDArray[np.integer],
    owners: NDArray[np.integer],
    configuration: object,
) -> tuple[int, int]:
    """(correct, total) patients held out, exact: it must not leave the hospital but through `noised_counts`.

    A patient whose records cannot tell (training.models.networks.Network) is in neither count.
    """
    network: Network = registry.build(configuration)
    network.take(weights)
    right = network.judged(features, labels)
    known = ~np.isnan(right)
    _, patients = np.unique(owners[known], return_inverse=True)
    shares = np.bincount(patients, right[known]) / np.bincount(patients)
    return int((shares > 0.5).sum()), len(shares)


def noised_counts(correct: int, total: int, sigma: float) -> tuple[int, int]:
    """Both counts with Gaussian noise, rounded: one release of the event Gaussian(sigma).

    One patient (with one record) changes each count by at most 1, both together by sqrt(2): the noise has standard
    deviation sigma * sqrt(2). The results may be negative or beyond each other. Raises PrivacyRefused `privacy.sigma`.
    """
    require_sigma(sigma)
    noise = Keystream().normals(2) * sigma * np.sqrt(2.0)
    return round(correct + float(noise[0])), round(total + float(noise[1]))


def positive(expected_batch: float | str) -> float:
    try:
        value = float(expected_batch)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise TrainingError("training.expected-batch", "expected_batch must be a finite number above 0")
    return value
