"""How far a study is, from the reactor's mirror: attempts, what each hospital did in them, epsilon so far.

Nothing here depends on data: states, count buckets, digests and epsilon are all that live pages show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal.catalogue.selectors import organisation_title
from portal.reactor import selectors as mirror
from portal.studies import charts, cost

WORDS = {
    "waiting": "not answered yet",
    "declined": "does not take part in this attempt",
    "cohort": "cohort committed",
    "released": "noised result released",
    "left": "left out",
}
LEGEND = (*WORDS.items(), ("aborted", "attempt aborted"))
STATUS_WORDS = {
    "open": "waiting for cohorts",
    "training": "training",
    "closed": "closed",
    "aborted": "aborted",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One hospital in one attempt. `state` is a key of WORDS; `unit`: what the study counts, a patient or an image."""

    msp: str
    state: str
    unit: str
    bucket: str | None = None
    root: str | None = None
    update: str | None = None

    @property
    def words(self) -> str:
        return WORDS[self.state] + (f" ({self.bucket} {self.unit}s)" if self.bucket else "")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one round, and epsilon of the study after it."""

    round: int
    attempt: int
    kind: str
    status: str
    reason: str
    opened: datetime
    cells: tuple[Cell, ...]
    epsilon: float

    @property
    def label(self) -> str:
        name = "test" if self.kind == "evaluation" else str(self.round)
        return name if self.attempt == 1 else f"{name}.{self.attempt}"

    @property
    def status_words(self) -> str:
        return STATUS_WORDS.get(self.status, self.status)


@dataclass(frozen=True, slots=True)
class Progress:
    attempts: tuple[Attempt, ...]
    hospitals: tuple[str, ...]
    titles: tuple[str, ...]
    epsilon: float
    planned: float
    rounds: int
    closed: int

    @property
    def summary(self) -> str:
        aborted = sum(attempt.status == "aborted" for attempt in self.attempts)
        lost = f", {aborted} attempt{'s' if aborted > 1 else ''} aborted" if aborted else ""
        return (
            f"{self.closed} of {self.rounds} training rounds closed{lost}; "
            f"epsilon {self.epsilon:.2f} of {self.planned:.2f} spent."
        )

    @property
    def chart(self) -> charts.RoundsChart:
        states = [
            [
                (
                    attempt.cells[row].state if attempt.status != "aborted" else "aborted",
                    f"{title}, round {attempt.label}: {attempt.cells[row].words}",
                )
                for attempt in self.attempts
            ]
            for row, title in enumerate(self.titles)
        ]
        return charts.rounds(
            [attempt.label for attempt in self.attempts],
            self.titles,
            states,
            [attempt.epsilon for attempt in self.attempts],
            self.planned,
        )


def of(study: dict[str, Any]) -> Progress:
    """The progress of a study record."""
    plan, name = study["plan"], study["study"]
    hospitals = tuple(cost.sites(plan))
    rounds = sorted(mirror.records(f"studies/round/{name}/"), key=lambda body: (body["round"], body["attempt"]))
    cohorts, updates, measures = (by_place(what, name) for what in ("cohort", "update", "measurement"))
    trained: Counter[str] = Counter()
    measured: Counter[str] = Counter()
    attempts = []
    for body in rounds:
        number = (body["round"], body["attempt"])
        training = body["kind"] == "training"
        results = {msp: updates.get((*number, msp)) if training else latest(measures, number, msp) for msp in hospitals}
        unit = plan["privacy"]["unit"]
        cells = tuple(cell(msp, unit, body, cohorts.get((*number, msp)), results[msp]) for msp in hospitals)
        paid, counter = (updates, trained) if training else (measures, measured)
        counter.update(msp for msp in hospitals if (*number, msp) in paid)
        attempts.append(
            Attempt(
                *number,
                body["kind"],
                body["status"],
                body.get("reason") or "",
                datetime.fromtimestamp(body["opened"], UTC),
                cells,
                cost.spent(plan, trained, measured),
            )
        )
    return Progress(
        attempts=tuple(attempts),
        hospitals=hospitals,
        titles=tuple(map(organisation_title, hospitals)),
        epsilon=attempts[-1].epsilon if attempts else 0.0,
        planned=cost.planned(plan),
        rounds=plan["rounds"],
        closed=sum(one.kind == "training" and one.status == "closed" for one in attempts),
    )


def cell(
    msp: str, unit: str, attempt: dict[str, Any], cohort: dict[str, Any] | None, result: dict[str, Any] | None
) -> Cell:
    if cohort is None:
        over = attempt["status"] != "open"
        return Cell(msp, "left" if over else "waiting", unit)
    if cohort["declined"]:
        return Cell(msp, "declined", unit)
    if result is None:
        return Cell(msp, "cohort", unit, cohort["bucket"], cohort["root"])
    return Cell(msp, "released", unit, cohort["bucket"], cohort["root"], result.get("digest"))


def latest(measures: Mapping[tuple[int, int, str], dict[str, Any]], number: tuple[int, int], msp: str) -> Any:
    """The noised counts that a hospital released in this attempt or an earlier one of the same round, or None."""
    place, attempt = number
    tries = (measures.get((place, earlier, msp)) for earlier in range(attempt, 0, -1))
    return next((found for found in tries if found is not None), None)


def by_place(what: str, study: str) -> dict[tuple[int, int, str], dict[str, Any]]:
    """(round, attempt, MSP id) -> record, of the records `studies/<what>/<study>/<round>/<attempt>/<msp>`."""
    found = {}
    for key, body in mirror.items(f"studies/{what}/{study}/"):
        number, attempt, msp = key.split("/")[3:]
        found[int(number), int(attempt), msp] = body
    return found
