"""What a finished study hands out: the model as safetensors, a certificate of what it cost, and a card for people.

All follow from the ledger, the weights and the ledger's head alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from hashlib import sha256
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load, save

from consent.canonical import encode
from training.errors import TrainingError
from training.federation.card import card
from training.federation.studies import LedgerView, Round, Studies, Study
from training.federation.vectors import Vector, digest
from training.models import registry
from training.models.weights import flat
from training.privacy.accountants import pld_epsilon, rdp_epsilon
from training.privacy.events import Event, Gaussian, PoissonSampledGaussian, merged
from training.privacy.mechanism import IMAGE
from training.site.stores import EVALUATION, TRAINING

FORMAT = "covenant.certificate.v5"
ADJACENCY = {  # whether the hospitals' patients are declared disjoint -> what may differ
    True: "add or remove one {unit} of one hospital",
    False: "add or remove one {unit}, at all hospitals together",
}
UNCOVERED = (
    "what a hospital's software did with the records beside this program",
    "the libraries beneath this program (their versions are pinned, their behaviour is not proven)",
    "what the ledger shows without noise: ranges of cohorts and data sets, the most records that one patient has, "
    "which hospitals took part, which attempts failed",
    "who trains and who is held out: a rule over each whole data set drew that before anybody consented",
    "records that a patient has in several hospitals, where the hospitals' patients are declared disjoint",
    "other studies: each hospital's account on the ledger composes them",
    "noised counts that a data set's hospital gave to researchers: accounts of their own compose them",
    "what the model makes of a single patient later: accuracy is a noised count over held-out patients",
)
UNCOVERED_IMAGE = "a patient of whom there are several images: sources name no patients, each image counts by itself"
UNCOVERED_SEED = "what the first weights had learned: that a seed drew them is the word of whoever proposed the plan"
UNCOVERED_START = "the records that the public weights were trained on: the plan says nothing of whose they are"


@dataclass(frozen=True, slots=True)
class Head:
    """The last block the certificate rests on. `hash`: of its header, hexadecimal."""

    height: int
    hash: str


@dataclass(frozen=True, slots=True)
class Package:
    """The files of a release, and their SHA-256 as they go on the ledger (of the card: in the certificate)."""

    model: str
    weights: bytes
    certificate: bytes
    card: bytes

    @property
    def weights_digest(self) -> str:
        return sha256(self.weights).hexdigest()

    @property
    def certificate_digest(self) -> str:
        return sha256(self.certificate).hexdigest()


def package(view: LedgerView, study: Study, model: Vector, head: Head) -> Package:
    """The release of `study` with its final `model`, for the sites to confirm."""
    weights = safetensors(model, study)
    facts = certificate(view, study, digest(model), sha256(weights).hexdigest(), head)
    words = card(view, study, facts)
    return Package(digest(model), weights, encode(carded(facts, words)), words)


def carded(facts: dict[str, Any], words: bytes) -> dict[str, Any]:
    """The certificate that says `facts` and names the card `words`, which was made from them."""
    return {**facts, "card": sha256(words).hexdigest()}


def safetensors(model: Vector, study: Study) -> bytes:
    """The network's parameters by name, in the safetensors format: the same bytes wherever they are made.

    One entry of metadata: the library writes several in no fixed order, and every site recomputes this file.
    """
    tensors, place = {}, 0
    for name, shape in registry.shapes(study.plan.configuration).items():
        size = 1
        for length in shape:
            size *= length
        tensors[name] = model[place : place + size].reshape(shape)
        place += size
    if place != len(model):
        raise TrainingError("release.shape", "the final model does not fit the plan's network")
    return bytes(save(tensors, {"covenant": f"study {study.study}, plan {study.plan_digest}"}))


def vector(data: bytes, study: Study) -> Vector:
    """The weights in a safetensors file that `safetensors` made for `study`; no code in a file is ever run.

    Raises TrainingError `release.unreadable`, `release.shape`.
    """
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise TrainingError("release.unreadable", "the model is no safetensors file: get it again") from None
    model = flat(tensors, registry.shapes(study.plan.configuration))
    if model is None:
        raise TrainingError("release.shape", "the model's tensors are not those of the plan's network")
    return model


def certificate(view: LedgerView, study: Study, model: str, weights: str, head: Head) -> dict[str, Any]:
    """What a reader can check against the ledger; decimals are strings, epsilons rounded up to six digits."""
    studies, plan = Studies(view), study.plan
    events = spent(studies, study)
    disjoint = are_disjoint(view, tuple(events))
    histories = list(events.values()) if disjoint else [[event for one in events.values() for event in one]]
    groups = {merged(history) for history in histories}
    delta = float(plan.privacy.delta)
    return {
        "format": FORMAT,
        "study": study.study,
        "plan": study.plan_digest,
        "model": model,
        "weights": weights,
        "privacy": {
            "unit": plan.privacy.unit,
            "adjacency": ADJACENCY[disjoint].format(unit=plan.privacy.unit),
            "hospitals_disjoint": disjoint,
            "mechanisms": {site: [spelled(event) for event in one] for site, one in sorted(events.items())},
            "delta": plan.privacy.delta,
            "epsilon_rdp": upwards(max(rdp_epsilon(group, delta) for group in groups)),
            "epsilon_pld": upwards(max(pld_epsilon(group, delta) for group in groups)),
            "gated_by": "rdp",
        },
        "cohorts": [cohorts(studies, item) for item in studies.rounds(study.study)],
        "start": {"weights": plan.initial, "public_weights": public_weights(study)},
        "restart": restarted(studies, study),
        "metrics": {"sigma": plan.metrics.sigma, "sites": metrics(studies, study)},
        "datasets": [dataset_root(view, item.dataset, item.version) for item in plan.datasets],
        "ledger": {"height": head.height, "header": head.hash},
        "not_covered": uncovered(study),
    }


def uncovered(study: Study) -> list[str]:
    """What the privacy statement of `study` does not speak of, for people."""
    image = [UNCOVERED_IMAGE] if study.plan.privacy.unit == IMAGE else []
    return [*UNCOVERED, *image, UNCOVERED_SEED if public_weights(study) is None else UNCOVERED_START]


def public_weights(study: Study) -> str | None:
    """The SHA-256 of the file that the study, or the one that it restarts, started from."""
    return registry.configuration(study.plan.configuration).public_weights


def spent(studies: Studies, study: Study) -> dict[str, list[Event]]:
    """Every event each site spent in this study, aborted attempts included, and in those that it restarts: spent is
    spent.
    """
    events = dict[str, list[Event]]()
    for one in reversed(studies.lineage(study)):
        privacy = one.plan.privacy
        training = PoissonSampledGaussian(float(privacy.sigma), float(privacy.q), privacy.steps)
        metric = Gaussian(float(one.plan.metrics.sigma))
        for item in studies.rounds(one.study):
            sites = studies.updates(item) if item.kind == TRAINING else studies.measures(item)
            for site in sites:
                events.setdefault(site, []).append(training if item.kind == TRAINING else metric)
    if not events:
        raise TrainingError("release.nothing", "this study released nothing, so there is nothing to certify")
    return events


def are_disjoint(view: LedgerView, sites: tuple[str, ...]) -> bool:
    """Whether an executed proposal declares the patients of all `sites` disjoint; else they count as shared."""
    entry = view.entry("budget/disjoint")
    return entry is not None and set(sites) <= set(entry.body["hospitals"])


def cohorts(studies: Studies, item: Round) -> dict[str, Any]:
    roots = {
        site: {"root": answer.root, "bucket": answer.bucket}
        for site, answer in sorted(studies.commitments(item).items())
        if not answer.declined
    }
    return {"round": item.round, "attempt": item.attempt, "kind": item.kind, "status": item.status, "sites": roots}


def restarted(studies: Studies, study: Study) -> dict[str, Any] | None:
    """Which study this one takes up again, at which round, and the cohorts of the rounds that it keeps of it."""
    restart = study.plan.restart
    if restart is None:
        return None
    before = studies.study(restart.study)
    kept = [item for item in studies.rounds(before.study) if item.kind == TRAINING and item.round < restart.round]
    return {
        "study": before.study,
        "round": restart.round,
        "cohorts": [cohorts(studies, item) for item in kept],
        "restart": restarted(studies, before),
    }


def metrics(studies: Studies, study: Study) -> dict[str, Any]:
    """Noised counts by site, from the evaluation that closed; null for a site that released none."""
    closed = [item for item in studies.rounds(study.study) if item.kind == EVALUATION and item.status == "closed"]
    measures = studies.measured(closed[-1]) if closed else {}
    return {
        site: {"correct": measures[site].correct, "total": measures[site].total} if site in measures else None
        for site in study.plan.sites
    }


def dataset_root(view: LedgerView, dataset: str, version: int) -> dict[str, Any]:
    entry = view.entry(f"catalogue/dataset/{dataset}/{version}")
    return {"dataset": dataset, "version": version, "root": None if entry is None else entry.body.get("root")}


def spelled(event: Event) -> Mapping[str, Any]:
    if isinstance(event, Gaussian):
        return {"mechanism": "gaussian", "sigma": repr(event.sigma)}
    return {
        "mechanism": "poisson-subsampled-gaussian",
        "sigma": repr(event.sigma),
        "q": repr(event.q),
        "steps": event.steps,
    }


def upwards(value: float) -> str:
    return str(Decimal(value).quantize(Decimal("0.000001"), ROUND_CEILING))
