"""What rests on a consent: the studies and rounds that used it, the models and permissions behind them, the cost.

It is read before somebody withdraws: `stops` happens no more, `stays` cannot be undone. How a withdrawal works is the
same in every jurisdiction; the rule in the signed text is about what is kept and about models made already.

    >>> facts = Facts(study="6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11", title="Hearts", purpose="to learn about hearts",
    ...     status="running", planned=5, last=Last(round=2, status="training"), on_withdrawal="finish", delta="0.0001",
    ...     epsilon="0.8", model=None, licences=())
    >>> one = resting(facts, [Use(1, 1, "training"), Use(2, 1, "training")], waits=True)
    >>> one.rounds, one.next_round, one.running
    ((1, 2), 3, 2)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from consent import canonical

LIVE: Final = frozenset({"approved", "running", "trained"})
RUNNING: Final = frozenset({"open", "training"})


class Use(NamedTuple):
    """One attempt in whose cohort the patient was."""

    round: int
    attempt: int
    kind: Literal["training", "evaluation"]


class Last(canonical.Document, frozen=True, kw_only=True):
    """A study's last attempt: `status` is open, training, closed or aborted."""

    round: int
    status: str


class Model(canonical.Document, frozen=True, kw_only=True):
    """A released model, by the digest of its weights as trained, and its certificate's."""

    model: str
    certificate: str


class Licence(canonical.Document, frozen=True, kw_only=True):
    """A permission that the hospital gave: who may use which data set, under which request, until when."""

    holder: str
    dataset: str
    version: int
    request: str
    until: str
    status: str


class Facts(canonical.Document, frozen=True, kw_only=True):
    """A study as the ledger shows it. `planned`: its training rounds; the evaluation is the round after them.

    `epsilon`: what this hospital's releases of attempts with the patient in them cost that patient, at `delta`, rounded
    up; "0" where nothing was released.
    """

    study: str
    title: str
    purpose: str
    status: str
    planned: int
    last: Last | None
    on_withdrawal: str
    epsilon: str
    delta: str
    model: Model | None
    licences: tuple[Licence, ...]


class Resting(canonical.Document, frozen=True, kw_only=True):
    """What of one study rests on the consent. `rounds`, `tests`: the training rounds and evaluations with the patient.

    `running`: the round that runs now with the patient in it, and goes on or not as `facts.on_withdrawal` says.
    `next_round`: the first that will be without the patient; None where none is to come.
    """

    facts: Facts
    rounds: tuple[int, ...]
    tests: tuple[int, ...]
    running: int | None
    next_round: int | None

    @property
    def used(self) -> bool:
        return bool(self.rounds or self.tests)


class Impact(canonical.Document, frozen=True, kw_only=True):
    """The report. `epsilon`: of all studies together at the smallest `delta` of theirs."""

    format: Literal["covenant.impact.v1"] = "covenant.impact.v1"
    hospital: str
    commitments: tuple[str, ...]
    studies: tuple[Resting, ...]
    epsilon: str
    delta: str

    @property
    def stops(self) -> tuple[Resting, ...]:
        """Studies with a round to come, which would have used the record or did."""
        return tuple(one for one in self.studies if one.next_round is not None)

    @property
    def stays(self) -> tuple[Resting, ...]:
        """Studies that have used the record: what was learned stays."""
        return tuple(one for one in self.studies if one.used)

    @property
    def models(self) -> tuple[Resting, ...]:
        return tuple(one for one in self.studies if one.used and one.facts.model is not None)

    @property
    def rounds(self) -> int:
        return sum(len(one.rounds) + len(one.tests) for one in self.studies)

    @property
    def licences(self) -> tuple[Licence, ...]:
        """Each permission once, though several studies rest on it."""
        return tuple(dict.fromkeys(licence for one in self.stays for licence in one.facts.licences))

    def lines(self) -> list[str]:
        """The report for a reader."""
        total = f"{len(self.stays)} studies, {self.rounds} rounds, {len(self.models)} released models"
        spent = f"epsilon {self.epsilon} at delta {self.delta}" if self.stays else "no privacy spent"
        head = f"Rests on {', '.join(self.commitments)} at {self.hospital}: {total}, {spent}."
        return [head, *(line for one in self.studies for line in _lines(one)), *_permissions(self.licences)]


def resting(facts: Facts, uses: Iterable[Use], *, waits: bool) -> Resting:
    """What of the study rests on a consent that let the patient into `uses`; `waits`: it would let them into more."""
    found = sorted(set(uses))
    last, live = facts.last, facts.status in LIVE
    busy = live and last is not None and last.status in RUNNING
    inside = last is not None and any(use.round == last.round for use in found)
    return Resting(
        facts=facts,
        rounds=_numbers(found, "training"),
        tests=_numbers(found, "evaluation"),
        running=last.round if busy and inside and last is not None else None,
        next_round=_next(facts) if live and waits else None,
    )


def _next(facts: Facts) -> int | None:
    """The round that is opened next: the same again after an aborted attempt, none after the evaluation."""
    if facts.last is None:
        return 1
    number = facts.last.round if facts.last.status == "aborted" else facts.last.round + 1
    return number if number <= facts.planned + 1 else None


def _numbers(uses: Sequence[Use], kind: str) -> tuple[int, ...]:
    return tuple(sorted({use.round for use in uses if use.kind == kind}))


def _lines(one: Resting) -> list[str]:
    facts = one.facts
    used = f"{len(one.rounds)} of {facts.planned} rounds, {len(one.tests)} tests, epsilon {facts.epsilon}"
    lines = [f"{facts.title} ({facts.study}, {facts.status}): {used if one.used else 'not used yet'}"]
    if one.running is not None:
        goes = "is discarded and made again" if facts.on_withdrawal == "discard" else "finishes"
        lines.append(f"  round {one.running} runs now: after a withdrawal it {goes}")
    if one.next_round is not None:
        lines.append(f"  a withdrawal counts from round {one.next_round} on")
    if one.used and facts.model is not None:
        lines.append(f"  released model {facts.model.model}, certificate {facts.model.certificate}: cannot be undone")
    return lines


def _permissions(licences: Sequence[Licence]) -> list[str]:
    return [
        f"{one.holder} may use {one.dataset} version {one.version} until {one.until} "
        f"({one.status}, request {one.request})"
        for one in licences
    ]
