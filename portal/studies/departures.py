"""What left a hospital: every noised update and metric, every answered count, with what each cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portal.catalogue import selectors as catalogue
from portal.catalogue.selectors import purpose_words
from portal.grid.folders import attempts_folder
from portal.reactor import selectors as mirror
from portal.studies import cost
from training.models import registry
from training.site.attempts import FileAttempts
from training.site.stores import Attempt, Tally


@dataclass(frozen=True, slots=True)
class Departure:
    """One thing that left. `size`: bytes. `epsilon`: what this study had cost a patient here once it had left."""

    block: int
    study: str
    title: str
    round: int
    attempt: int
    what: str
    digest: str | None
    size: int | None
    epsilon: float
    bucket: str | None


@dataclass(frozen=True, slots=True)
class Stayed:
    """What became of the records in one attempt. It stands in this hospital's store alone."""

    study: str
    title: str
    attempt: Attempt
    tally: Tally


@dataclass(frozen=True, slots=True)
class Left:
    results: tuple[Departure, ...]
    counts: tuple[dict[str, Any], ...]
    stayed: tuple[Stayed, ...]


def of(msp: str) -> Left:
    """Everything that left hospital `msp`, newest first."""
    results: list[Departure] = []
    stayed: list[Stayed] = []
    kept = FileAttempts(attempts_folder())
    with mirror.loaded("catalogue/dataset/", "members/org/", "access/inquiry/"):
        for body in mirror.records("studies/study/"):
            if msp in cost.sites(body["plan"]):
                results += of_study(msp, body)
                noted = kept.tallies(body["study"]).items()
                stayed += (Stayed(body["study"], body["plan"]["title"], attempt, tally) for attempt, tally in noted)
        counts = [
            {
                **body,
                "title": (catalogue.dataset(body["dataset"], body["version"]) or {"title": ""})["title"],
                "purpose_words": purpose_of(body),
            }
            for body in mirror.records(f"budget/count/{msp}/")
        ]
    return Left(tuple(sorted(results, key=lambda one: one.block, reverse=True)), tuple(reversed(counts)), tuple(stayed))


def of_study(msp: str, study: dict[str, Any]) -> list[Departure]:
    """In the order in which they left, since epsilon grows along it."""
    plan, name = study["plan"], study["study"]
    size = 4 * registry.parameters(plan["configuration"])
    rows = [
        row
        for what in ("update", "measurement")
        for row in mirror.standing(f"studies/{what}/{name}/")
        if row.key.rsplit("/", 1)[1] == msp
    ]
    found, trained, measured = [], 0, 0
    cohorts = dict(mirror.items(f"studies/cohort/{name}/"))
    for row in sorted(rows, key=lambda row: row.block):
        _, what, _, number, attempt, _ = row.key.split("/")
        trained, measured = (trained + 1, measured) if what == "update" else (trained, measured + 1)
        cohort = cohorts.get(f"studies/cohort/{name}/{number}/{attempt}/{msp}", {})
        found.append(
            Departure(
                row.block,
                name,
                plan["title"],
                int(number),
                int(attempt),
                "noised update"
                if what == "update"
                else f"noised counts: {row.body['correct']} right of {row.body['total']}",
                row.body.get("digest"),
                size if what == "update" else None,
                cost.epsilon(plan, trained, measured),
                cohort.get("bucket"),
            )
        )
    return found


def purpose_of(count: dict[str, Any]) -> str:
    key = f"access/inquiry/{count['dataset']}/{count['version']}/{count['purpose_digest']}/{count['month']}"
    inquiry = mirror.record(key)
    return purpose_words(inquiry["purpose"]) if inquiry else ""
