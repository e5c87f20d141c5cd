"""The model card: what a released model is for, what it learned from and what its privacy rests on, for people.

Every word follows from the certificate and the ledger, so each site makes the card itself before it confirms the
certificate, which names the card's digest. Headings after Mitchell et al., "Model cards for model reporting" (FAT* '19,
arXiv:1810.03993).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from consent import diseases, duo
from training.errors import TrainingError
from training.federation.studies import LedgerView, Study
from training.models import registry

NAME = "model-card.md"
MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")
Facts = Mapping[str, Any]


def card(view: LedgerView, study: Study, facts: Facts) -> bytes:
    """The card of `study`, whose certificate says `facts`, as Markdown in UTF-8: the same bytes wherever it is made.

    Raises TrainingError `card.request-unknown`, `card.dataset-unknown` where the ledger in `view` lacks what it tells.
    """
    sections = (
        (f"Model card: {plain(study.plan.title)}", model(study, facts)),
        ("Intended use", intended_use(view, study)),
        ("Training data", training_data(view, study, facts)),
        ("Cohorts", cohorts(facts)),
        ("Privacy", privacy(study, facts)),
        (f"Accuracy on held-out {units(facts)}", metrics(study, facts)),
        ("What is not covered", [f"- {plain(one)}" for one in facts["not_covered"]]),
        ("Files and how to check them", files(study, facts)),
    )
    marks = ("#", *("##" for _ in sections[1:]))
    text = "\n\n".join(
        "\n".join([f"{mark} {title}", "", *lines]) for mark, (title, lines) in zip(marks, sections, strict=True)
    )
    return f"{text}\n".encode()


def model(study: Study, facts: Facts) -> list[str]:
    plan = study.plan
    settings = ", ".join(
        f"{name} `{', '.join(value) or 'none' if isinstance(value, list | tuple) else value}`"
        for name, value in sorted(plan.configuration.items())
        if name not in ("model", "public_weights")
    )
    return [
        f"The network `{plan.configuration['model']}` ({settings}), trained in {plan.rounds} rounds at "
        f"{len(plan.sites)} hospital(s) under differential privacy, sponsored by `{study.sponsor}`. Study "
        f"`{facts['study']}`.",
        *start(facts["start"]["public_weights"]),
        *restart(facts["restart"]),
    ]


def start(public: str | None) -> list[str]:
    if public is None:
        return []
    return [
        "",
        f"It started from public weights, a file of SHA-256 `{public}`, which every hospital that took part compared "
        "with its own copy. The privacy statement below is about what was trained here, not about the records behind "
        "that file.",
    ]


def restart(told: Facts | None) -> list[str]:
    if told is None:
        return []
    return [
        "",
        f"It takes up study `{told['study']}` with the weights that entered its round {told['round']}: what that study "
        "trained from there on is not in this model. All that it spent counts below.",
    ]


def intended_use(view: LedgerView, study: Study) -> list[str]:
    entry = view.entry(f"access/request/{study.plan.request}")
    if entry is None:
        raise TrainingError("card.request-unknown", "the ledger lacks the request that the plan rests on")
    purpose = entry.body["purpose"]
    kinds = {
        "commercial": "Commercial use",
        "for_profit": "Use by a for-profit organisation",
        "methods": "Use to develop methods",
    }
    return [
        f"- Data were given for: {term(purpose['duo'])}"
        + (f", into {', '.join(map(disease, purpose['diseases']))}" if purpose["diseases"] else "")
        + ".",
        *(f"- {words}: {SAID[purpose.get(name)]}." for name, words in kinds.items()),
        "- The model is a result of research. It is no medical device, and nobody has examined it for the care of a "
        "patient. It does not tell anything about people unlike those it learned from.",
        "- Using it for another purpose is outside what the patients agreed to.",
    ]


SAID = {True: "yes", False: "no", None: "not said"}


def training_data(view: LedgerView, study: Study, facts: Facts) -> list[str]:
    rows = []
    for dataset, shown in zip(study.plan.datasets, facts["datasets"], strict=True):
        entry = view.entry(f"catalogue/dataset/{dataset.dataset}/{dataset.version}")
        if entry is None:
            raise TrainingError("card.dataset-unknown", "the ledger lacks a data set of the plan", dataset=shown)
        body = entry.body
        rows.append(
            (
                f"`{dataset.dataset}` version {dataset.version}",
                plain(body["title"]),
                body["modality"],
                body["size_bucket"],
                f"`{shown['root']}`",
            )
        )
    columns = ("data set", "title", "kind", f"{units(facts)} registered", "manifest root")
    return [*table(columns, rows), "", f"Of these, only {units(facts)} whose consent permitted this purpose were used."]


def cohorts(facts: Facts) -> list[str]:
    """Counts only in the ranges that the sites committed."""
    found: dict[tuple[str, str], list[str]] = {}
    for item in facts["cohorts"]:
        for site, answer in item["sites"].items():
            found.setdefault((site, item["kind"]), []).append(answer["bucket"])
    rows = [
        (f"`{site}`", kind, str(len(buckets)), ", ".join(sorted(set(buckets), key=least)))
        for (site, kind), buckets in sorted(found.items())
    ]
    return [
        *table(("hospital", "kind", "cohorts", f"{units(facts)} in each, as ranges"), rows),
        "",
        "Each cohort is committed on the ledger by a root (in the certificate); exact counts never left a hospital.",
    ]


def least(bucket: str) -> tuple[int, str]:
    digits = re.match(r"\d+", bucket)
    return (int(digits[0]) if digits else 0, bucket)


def privacy(study: Study, facts: Facts) -> list[str]:
    told, plan = facts["privacy"], study.plan
    between = (
        "The hospitals' patients are declared to be different people: the figures are the largest over the hospitals."
        if told["hospitals_disjoint"]
        else "The hospitals may share patients: the figures are of all hospitals' releases together."
    )
    return [
        f"The model is ({told['epsilon_pld']}, {told['delta']})-differentially private.",
        "",
        f"- Unit of privacy: one {told['unit']}, {UNIT[told['unit']].format(most=plan.privacy.records_per_patient)}.",
        f"- Adjacency: {told['adjacency']}.",
        f"- Delta: {told['delta']}.",
        f"- Mechanism: DP-SGD, {plan.privacy.steps} steps a round; Poisson sampling of {units(facts)} at q "
        f"{plan.privacy.q}; each {told['unit']}'s gradient clipped to {plan.privacy.clip}; Gaussian noise with "
        f"multiplier {plan.privacy.sigma}. The accuracy counts: Gaussian, multiplier {plan.metrics.sigma}.",
        f"- Accountants: epsilon {told['epsilon_rdp']} by Rényi differential privacy (the ledger gated by it), "
        f"{told['epsilon_pld']} by privacy loss distributions (reported). {between}",
        "- All releases count: noised updates of every attempt, discarded ones too, and the accuracy counts.",
        "- Noise is added at each hospital, before anything leaves it; nobody needs to trust the hub for it.",
        "- Not in it: choices of hyperparameters on other data, and other studies on the same patients.",
    ]


UNIT = {
    "patient": "with all of their records at a hospital (at most {most})",
    "image": "by itself: the sources name no patients, and one of whom there are several images is protected less",
}


def units(facts: Facts) -> str:
    """What the study counts and protects, in the plural."""
    return f"{facts['privacy']['unit']}s"


def metrics(study: Study, facts: Facts) -> list[str]:
    rows = [
        (f"`{site}`", *(("not released", "") if counts is None else (str(counts["correct"]), str(counts["total"]))))
        for site, counts in sorted(facts["metrics"]["sites"].items())
    ]
    return [
        *table(("hospital", "predicted correctly", units(facts)), rows),
        "",
        f"Predicted correctly: {registry.description(study.plan.configuration).right}."
        + (" A patient with several records: where most of them are." if units(facts) == "patients" else ""),
        "",
        "Both counts carry noise (standard deviation "
        f"{facts['metrics']['sigma']} times the square root of 2), paid for as an event of their own: they may be "
        "negative or contradict each other. Nothing was measured for subgroups, so nothing is known of fairness.",
    ]


def files(study: Study, facts: Facts) -> list[str]:
    return [
        "- `model.safetensors`: the weights, numbers alone (no code), SHA-256 "
        f"`{facts['weights']}`; as trained `{facts['model']}`.",
        "- `certificate.json`: every mechanism event and every cohort's root; names the SHA-256 of this card.",
        f"- On the ledger: the plan `{facts['plan']}`; `studies/release/{facts['study']}` with the digests of model "
        "and certificate, released only after every hospital that took part had signed that very certificate.",
        f"- Code that trained: `{study.plan.code}`. The certificate rests on the ledger at {facts['ledger']['height']} "
        f"blocks, head `{facts['ledger']['header']}`.",
        "",
        "    covenant model verify DIR --ledger ledger.blocks --genesis SHA256",
    ]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]


def plain(text: str) -> str:
    """Somebody's words as words: no line breaks, nothing that Markdown or HTML would read."""
    return MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def term(code: str) -> str:
    return f"{duo.term(code).label} ({code})"


def disease(code: str) -> str:
    return f"{diseases.disease(code).label} ({code})"
