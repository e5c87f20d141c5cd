"""From a researcher's answers to the plan that is pinned on the ledger: a form sent twice plans the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from consent import canonical
from portal.grid.folders import public_weights_folder
from training.errors import ModelRefused
from training.federation.vectors import Vector, digest
from training.models import heart, public, registry
from training.privacy.calibration import sigma_for
from training.privacy.events import Gaussian
from training.privacy.mechanism import IMAGE, PATIENT


def defaults(model: str = heart.MODEL) -> dict[str, Any]:
    """The public constants that the form starts from: the network's own (training/models)."""
    tuned = registry.DESCRIPTIONS[model].defaults
    return {
        "seed": 42,
        "epsilon": tuned.epsilon,
        "delta": tuned.delta,
        "clip": tuned.clip,
        "q": tuned.q,
        "rounds": tuned.rounds,
        "local_steps": tuned.local_steps,
        "learning_rate": tuned.learning_rate,
        "schedule": tuned.schedule,
        "averaging": Decimal(0),
        "frozen": " ".join(tuned.frozen),
        "public_weights": "",
        "hidden": tuned.hidden,
        "metric_sigma": tuned.metrics_sigma,
        "min_cohort": 20,
        "quorum": 3,
        "spare_attempts": 2,
        "cohort_seconds": 60,
        "update_seconds": 300,
        "on_withdrawal": "finish",
    }


def rate_words(model: str) -> str:
    """For what the network's learning rate was chosen, for whoever is about to change that or the rate."""
    tuned = registry.DESCRIPTIONS[model].defaults
    trained = f"{' '.join(tuned.frozen)} frozen" if tuned.frozen else "all parameters training"
    rate = tuned.learning_rate
    return f"{rate} was chosen for {model} with {trained} and a width of {tuned.hidden}; choose it anew for any other."


def untried(plan: Mapping[str, Any]) -> str:
    """What to look at again where `plan` trains other weights than its network's learning rate was chosen for."""
    asked = plan["configuration"]
    tuned = registry.DESCRIPTIONS[asked["model"]].defaults
    if (tuple(asked["frozen"]), asked["hidden"]) == (tuned.frozen, tuned.hidden):
        return ""
    return f"{rate_words(asked['model'])} This plan trains other weights at {asked['learning_rate']}."


def build(
    answers: Mapping[str, Any], *, request: str, datasets: Sequence[Mapping[str, Any]], code: str, disjoint: bool
) -> dict[str, Any]:
    """The plan of `answers` (PlanForm) over `datasets` (catalogue records), in the form of `studies:Propose`.

    `code`: digest of the code the sites must run. `disjoint`: whether the hospitals' patients are declared to be
    different people. The network is the one that takes what the data sets hold. Raises PrivacyRefused
    `calibration.unreachable` where no noise keeps the study within epsilon, ModelRefused where the network cannot be
    built, none takes these data sets (`model.data`), or the public weights cannot be used (`weights.*`).
    """
    q, delta, metric = (plain(answers[name]) for name in ("q", "delta", "metric_sigma"))
    described = registry.of_transformations(one["transformation"] for one in datasets)
    configuration = {
        "model": described.model,
        "hidden": answers["hidden"],
        "learning_rate": plain(answers["learning_rate"]),
        "local_steps": answers["local_steps"],
        "features": described.features,
        "schedule": answers["schedule"],
        "averaging": plain(answers["averaging"]),
        "frozen": answers["frozen"].split(),
        "public_weights": answers["public_weights"] or None,
    }
    registry.configuration(configuration)
    factor = 1 if disjoint else len(datasets)
    steps = answers["local_steps"] * (answers["rounds"] + answers["spare_attempts"]) * factor
    metrics = [Gaussian(float(metric))] * factor
    return {
        **{name: answers[name] for name in AS_ANSWERED},
        "request": request,
        "code": code,
        "configuration": configuration,
        "initial": digest(initial(configuration, answers["seed"])),
        "datasets": [part(one, q) for one in sorted(datasets, key=lambda one: one["dataset"])],
        "privacy": {
            "clip": plain(answers["clip"]),
            "sigma": sigma_for(plain(answers["epsilon"]), delta, q, steps, metrics),
            "q": q,
            "steps": answers["local_steps"],
            "delta": delta,
            "records_per_patient": max(one["records_per_patient"] for one in datasets),
            "unit": IMAGE if any(one.get("unit") == IMAGE for one in datasets) else PATIENT,
        },
        "metrics": {"sigma": metric},
        "restart": None,
    }


AS_ANSWERED = (
    "title",
    "rounds",
    "spare_attempts",
    "quorum",
    "min_cohort",
    "cohort_seconds",
    "update_seconds",
    "on_withdrawal",
)


def initial(configuration: Mapping[str, Any], seed: int) -> Vector:
    """The weights that the study starts from: the same on every machine, from the seed or from the pinned file.

    Raises ModelRefused `weights.*` where this node's copy of that file is missing or does not fit.
    """
    if configuration["public_weights"]:
        return public.weights(public_weights_folder(), dict(configuration))
    return registry.initial_weights(dict(configuration), seed)


def networks(datasets: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Which networks these data sets (catalogue records) can train, and which of them train each."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in datasets:
        with suppress(ModelRefused):  # registered for a network that is installed no more
            found.setdefault(registry.of_transformations([one["transformation"]]).model, []).append(one)
    return found


def part(dataset: Mapping[str, Any], q: str) -> dict[str, Any]:
    """A data set in a plan: its public weight and the public expected batch, both from its size bucket alone."""
    bucket = dataset["size_bucket"]
    return {
        "dataset": dataset["dataset"],
        "version": dataset["version"],
        "weight": heart.weight(bucket),
        "expected_batch": heart.expected_batch(bucket, q),
    }


def plan_digest(plan: Mapping[str, Any]) -> str:
    """The hex digest that hospitals approve."""
    return canonical.digest("covenant.plan.v1", canonical.encode(dict(plan))).hex()


def plain(number: Decimal) -> str:
    """A decimal as plans write it: "0.0001", never "1E-4"; no trailing zeros.

    >>> plain(Decimal("0.00010")), plain(Decimal(20))
    ('0.0001', '20')
    """
    return format(number.normalize(), "f")
