"""What a study is: the plan that everybody approves by its digest, and the states it goes through.

State: `studies/study/<uuid>` -> Study, `studies/head/<uuid>` -> Head, `studies/approval/<uuid>/<msp>` -> Approval,
`studies/pause/<msp>` -> Pause.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from consent import canonical
from consent.canonical import Document
from ledger.contracts.catalogue import owner_of
from ledger.contracts.constitution import MAX_PHASE_SECONDS, MAX_ROUNDS
from ledger.contracts.fields import (
    Code,
    Count,
    DatasetId,
    DecimalText,
    Digest,
    Name,
    Positive,
    Seconds,
    Title,
    Unit,
    Uuid,
)
from ledger.contracts.state import Ledger
from ledger.errors import Refused

Phase = Annotated[int, Meta(ge=1, le=MAX_PHASE_SECONDS, description="how long a phase of a round lasts, in seconds")]
Rounds = Annotated[int, Meta(ge=1, le=MAX_ROUNDS)]
OnWithdrawal = Literal["finish", "discard"]
Spares = Annotated[int, Meta(ge=0, le=MAX_ROUNDS)]


class Configuration(Document, frozen=True):
    """What is trained, and how, apart from privacy. `local_steps`: steps a site takes in a round.

    `schedule`: how the learning rate falls over the rounds. `averaging`: the decay, below 1, of the moving average over
    the rounds' models that the last round closes with; 0 for the last model itself. `frozen`: the parameters, by the
    beginnings of their names, that stay as they are. `public_weights`: SHA-256 of the file whose weights are the plan's
    initial ones, of which each site has its own copy; null for weights from a seed or a checkpoint.
    """

    model: Code
    hidden: Count
    learning_rate: DecimalText
    local_steps: Positive
    features: Code
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    averaging: DecimalText = "0"
    frozen: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    public_weights: Digest | None = None


class Source(Document, frozen=True):
    """A data set version of the plan. `weight`: its share of the aggregate. `expected_batch`: patients a step."""

    dataset: DatasetId
    version: Positive
    weight: Positive
    expected_batch: DecimalText


class Privacy(Document, frozen=True):
    """The mechanism of a round: `steps` Poisson-subsampled Gaussian steps, for one `unit` more or less."""

    clip: DecimalText
    sigma: DecimalText
    q: DecimalText
    steps: Positive
    delta: DecimalText
    records_per_patient: Positive
    unit: Unit


class Metrics(Document, frozen=True):
    """How the evaluation is released: noise of `sigma` times the sensitivity on the counts."""

    sigma: DecimalText


class Restart(Document, frozen=True):
    """The study that a plan takes up again, and at which of its rounds: with the weights that entered it."""

    study: Uuid
    round: Positive


class Plan(Document, frozen=True):
    """Everything about a study that a site must know and agree to. Its digest is what a site approves.

    `on_withdrawal`: whether an attempt goes on or ends when a consent is withdrawn at a hospital that takes part in it.
    `restart`: null for a study that begins with weights of its own.
    """

    title: Title
    request: Uuid
    code: Digest
    configuration: Configuration
    initial: Digest
    rounds: Rounds
    spare_attempts: Spares
    quorum: Positive
    min_cohort: Positive
    datasets: Annotated[tuple[Source, ...], Meta(min_length=1, max_length=64)]
    privacy: Privacy
    metrics: Metrics
    cohort_seconds: Phase
    update_seconds: Phase
    on_withdrawal: OnWithdrawal
    restart: Restart | None = None

    def digest(self) -> str:
        """Hex, tag `covenant.plan.v1`."""
        return canonical.digest("covenant.plan.v1", canonical.encode(self)).hex()

    @property
    def hospitals(self) -> tuple[str, ...]:
        """The MSP ids of the plan's sites, sorted."""
        return tuple(sorted(owner_of(source.dataset) for source in self.datasets))

    def source(self, hospital: str) -> Source | None:
        """The hospital's data set in the plan."""
        return next((source for source in self.datasets if owner_of(source.dataset) == hospital), None)


class Study(Document, frozen=True):
    """A study. `sponsor`: the organisation that proposed it."""

    study: Uuid
    sponsor: str
    plan: Plan
    plan_digest: Digest
    proposed: Seconds
    status: Literal["proposed", "approved", "running", "trained", "released", "stopped"]
    reason: Code | None


class Head(Document, frozen=True):
    """Where a study stands: its last round, the digest of the current model, and who has taken part so far."""

    study: Uuid
    round: Count
    attempt: Count
    status: Literal["open", "training", "closed", "aborted"]
    base: Digest
    spares_used: Count
    participants: tuple[str, ...]


class Approval(Document, frozen=True):
    """A hospital's approval of exactly the plan with this digest."""

    study: Uuid
    hospital: str
    plan_digest: Digest
    approved: Seconds


class Pause(Document, frozen=True):
    """Whether a hospital takes part in no new cohort, of any study."""

    hospital: Name
    paused: bool
    since: Seconds


def key(study: str) -> str:
    return f"studies/study/{study}"


def head_key(study: str) -> str:
    return f"studies/head/{study}"


def approval_key(study: str, hospital: str) -> str:
    return f"studies/approval/{study}/{hospital}"


def pause_key(hospital: str) -> str:
    return f"studies/pause/{hospital}"


def require(ledger: Ledger, study: str) -> Study:
    """The study; refuses `studies.unknown`."""
    standing = ledger.find(key(study), Study)
    if standing is None:
        raise Refused("studies.unknown", "there is no such study", study=study)
    return standing


def require_status(study: Study, *statuses: str) -> None:
    """Refuses `studies.wrong-status`."""
    if study.status not in statuses:
        raise Refused(
            "studies.wrong-status", f"this study is {study.status}", status=study.status, needed=list(statuses)
        )


def require_site(ledger: Ledger, study: Study) -> Source:
    """The data set with which the caller's hospital takes part; refuses `studies.not-a-site`."""
    source = study.plan.source(ledger.creator.organisation)
    if source is None:
        raise Refused("studies.not-a-site", "this hospital has no part in the study", study=study.study)
    return source


def require_sponsor(ledger: Ledger, study: Study) -> None:
    """Refuses `studies.not-sponsor`."""
    if ledger.creator.organisation != study.sponsor:
        raise Refused("studies.not-sponsor", "only the study's sponsor does this", sponsor=study.sponsor)
