"""A study as the ledger shows it: typed reads over one node's projection. Hub and sites read the same way.

Only what training needs is declared here; the contracts say what a record holds and what made it stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import msgspec

from consent.occasion import Occasion
from consent.purpose import Purpose
from consent.seats import NOWHERE, Seat, Sector, seated
from training.errors import TrainingError

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Entry:
    """One ledger state: its record as plain JSON, and the block that wrote it last."""

    body: Mapping[str, Any]
    block: int


class LedgerView(Protocol):
    """What one node's reactor has projected, up to `height()`. Reads only; never asks the hub."""

    def check(self) -> None:
        """Return quietly if the ledger still holds all that this node has seen of it; else raise CovenantError."""

    def header_hash(self, height: int) -> str | None:
        """The header hash (64 hex characters) of block `height - 1`, or None where the ledger is shorter."""

    def height(self) -> int:
        """The last block whose events are in the projection."""

    def entry(self, key: str) -> Entry | None: ...

    def entries(self, prefix: str) -> Mapping[str, Entry]: ...

    def reached(self, block: int, seconds: float) -> bool:
        """Wait until `height() >= block`, `seconds` at most; whether it came."""


class LedgerWriter(Protocol):
    """Signs and submits as this node's own identity for federation: `site` at a hospital, `runner` at the hub."""

    def submit(self, function: str, arguments: Mapping[str, Any]) -> int:
        """The block that holds the transaction (or the standing record's height, where nothing was written).

        Raises CovenantError with the contract's code where it is refused.
        """


class Dataset(msgspec.Struct, frozen=True):
    dataset: str
    version: int
    weight: int
    expected_batch: str

    @property
    def hospital(self) -> str:
        return self.dataset.partition("/")[0]


class Privacy(msgspec.Struct, frozen=True):
    clip: str
    sigma: str
    q: str
    steps: int
    delta: str
    records_per_patient: int
    unit: str


class MetricNoise(msgspec.Struct, frozen=True):
    sigma: str


class Restart(msgspec.Struct, frozen=True):
    """A round of an earlier study, whose entering weights are a plan's initial ones."""

    study: str
    round: int


class Plan(msgspec.Struct, frozen=True):
    """What was approved. `configuration` is the model's own; decimals are strings."""

    title: str
    request: str
    code: str
    configuration: dict[str, Any]
    initial: str
    rounds: int
    spare_attempts: int
    quorum: int
    min_cohort: int
    datasets: tuple[Dataset, ...]
    privacy: Privacy
    metrics: MetricNoise
    cohort_seconds: int
    update_seconds: int
    on_withdrawal: str
    restart: Restart | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(sorted({dataset.hospital for dataset in self.datasets}))

    @property
    def weights(self) -> dict[str, int]:
        return {dataset.hospital: dataset.weight for dataset in self.datasets}

    def dataset(self, hospital: str) -> Dataset:
        """The data set of `hospital` in this study; TrainingError `site.not-in-study`."""
        for dataset in self.datasets:
            if dataset.hospital == hospital:
                return dataset
        raise TrainingError("site.not-in-study", f"no data set of {hospital} is in this plan", hospital=hospital)


class Study(msgspec.Struct, frozen=True):
    study: str
    sponsor: str
    plan: Plan
    plan_digest: str
    status: str


class Round(msgspec.Struct, frozen=True):
    """One attempt at one round. `opened`: contract time, epoch seconds. `base`: digest of the weights that enter it.

    `withdrawals`: hospital -> the commitment withdrawn last there before it was opened, where the plan looks at that.
    """

    study: str
    round: int
    attempt: int
    kind: str
    status: str
    opened: int
    cohort_deadline: int
    update_deadline: int
    base: str
    sites: tuple[str, ...] = ()
    model: str | None = None
    reason: str | None = None
    withdrawals: Mapping[str, str] = msgspec.field(default_factory=dict)


class Commitment(msgspec.Struct, frozen=True):
    """A site's answer to an open round: a cohort's root and count bucket, or declined."""

    declined: bool
    root: str | None = None
    bucket: str | None = None


class Update(msgspec.Struct, frozen=True):
    """What a site spent for: the digest of its noised update."""

    digest: str


class Measure(msgspec.Struct, frozen=True):
    """Noised counts: they may be negative, and `correct` may exceed `total`."""

    correct: int
    total: int


class Confirmation(msgspec.Struct, frozen=True):
    """A site's word for the final model; `certificate`: SHA-256 of the file it has checked."""

    certificate: str


class Entitlement(msgspec.Struct, frozen=True):
    """`until`: the last day of use. `purpose`: as it is judged, over what the members hold of who asks and computes."""

    status: str
    requester: str
    purpose: Purpose
    until: str


class Member(msgspec.Struct, frozen=True):
    """What the members hold of an organisation; None: nobody has said."""

    country: str | None = None
    sector: Sector | None = None


class Approval(msgspec.Struct, frozen=True):
    """A hospital's approval of a plan: its digest, and when, epoch seconds."""

    plan_digest: str
    approved: int


class Studies:
    """The studies in one node's projection."""

    def __init__(self, view: LedgerView) -> None:
        self.view = view

    def study(self, study: str) -> Study:
        """Raises TrainingError `study.unknown`."""
        if found := self._find(f"studies/study/{study}", Study):
            return found
        raise TrainingError("study.unknown", "this node's projection knows no such study", study=study)

    def lineage(self, study: Study) -> tuple[Study, ...]:
        """`study` and, where it restarts another one, that and what that restarted, the first last."""
        found = [study]
        while (restart := found[-1].plan.restart) is not None:
            found.append(self.study(restart.study))
        return tuple(found)

    def rounds(self, study: str) -> tuple[Round, ...]:
        """Every attempt so far, in order."""
        found = self._all(f"studies/round/{study}/", Round).values()
        return tuple(sorted(found, key=lambda item: (item.round, item.attempt)))

    def attempt(self, study: str, number: int, attempt: int) -> tuple[Round, int] | None:
        """One attempt, and the block that wrote it last."""
        if (entry := self.view.entry(f"studies/round/{study}/{number}/{attempt}")) is None:
            return None
        return read(entry.body, Round), entry.block

    def last(self, study: str, number: int) -> Round | None:
        """The latest attempt at round `number`, if there is one."""
        attempts = [item for item in self.rounds(study) if item.round == number]
        return attempts[-1] if attempts else None

    def closed(self, study: str) -> tuple[Round, ...]:
        """The training rounds that gave a model, in order."""
        return tuple(item for item in self.rounds(study) if item.kind == "training" and item.status == "closed")

    def commitments(self, attempt: Round) -> dict[str, Commitment]:
        return self._sites("cohort", attempt, Commitment)

    def updates(self, attempt: Round) -> dict[str, str]:
        """MSP id -> digest of the noised update it spent for."""
        return {site: item.digest for site, item in self._sites("update", attempt, Update).items()}

    def measures(self, attempt: Round) -> dict[str, Measure]:
        """What sites released in this very attempt."""
        return self._sites("measurement", attempt, Measure)

    def measured(self, attempt: Round) -> dict[str, Measure]:
        """What sites released in this attempt of the evaluation or an earlier one: each pays once and repeats that."""
        found: dict[str, Measure] = {}
        for number in range(1, attempt.attempt + 1):
            found |= self.measures(msgspec.structs.replace(attempt, attempt=number))
        return found

    def confirmations(self, study: str) -> dict[str, str]:
        """MSP id -> digest of the certificate that this site has confirmed."""
        found = self._all(f"studies/confirmation/{study}/", Confirmation)
        return {key.rpartition("/")[2]: item.certificate for key, item in found.items()}

    def entitlement(self, plan: Plan, dataset: Dataset, when: int) -> Entitlement:
        """Raises TrainingError `site.no-entitlement` unless one covers this data set at `when` (epoch seconds)."""
        found = self._find(f"access/entitlement/{plan.request}/{dataset.dataset}/{dataset.version}", Entitlement)
        today = datetime.fromtimestamp(when, UTC).date().isoformat()
        if found is None or found.status != "live" or found.until < today:
            raise TrainingError("site.no-entitlement", "no live entitlement covers this data set")
        purpose = seated(found.purpose, asker=self.seat(found.requester), worker=self.seat(dataset.hospital))
        return msgspec.structs.replace(found, purpose=purpose)

    def seat(self, msp: str) -> Seat:
        """Where an organisation sits and what kind it is, as far as the members hold it."""
        found = self._find(f"members/org/{msp}", Member)
        return NOWHERE if found is None else Seat(found.country, found.sector)

    def occasion(self, study: Study, hospital: str) -> Occasion:
        """What patients' finer choices at `hospital` look at: agreed to is a plan that it approved, this very one."""
        approval = self._find(f"studies/approval/{study.study}/{hospital}", Approval)
        agreed = approval.approved if approval is not None and approval.plan_digest == study.plan_digest else None
        dataset = study.plan.dataset(hospital)
        entry = self.view.entry(f"catalogue/dataset/{dataset.dataset}/{dataset.version}")
        return Occasion(study.study, agreed, tuple(entry.body.get("categories", ())) if entry else ())

    def in_use(self, dataset: Dataset) -> bool:
        """Whether the ledger shows this data set version, not retired."""
        entry = self.view.entry(f"catalogue/dataset/{dataset.dataset}/{dataset.version}")
        return entry is not None and entry.body.get("status") == "live"

    def paused(self, hospital: str) -> bool:
        entry = self.view.entry(f"studies/pause/{hospital}")
        return entry is not None and bool(entry.body.get("paused"))

    def discarded(self, study: Study, attempt: Round) -> bool:
        """Whether the plan discards this attempt: a consent of a taking-part hospital was withdrawn since it opened."""
        if study.plan.on_withdrawal != "discard":
            return False
        last = {site: self.view.entry(f"consents/last/{site}") for site in attempt.sites}
        now = {site: None if entry is None else entry.body["commitment"] for site, entry in last.items()}
        return any(now[site] != attempt.withdrawals.get(site) for site in attempt.sites)

    def _sites(self, what: str, attempt: Round, type_: type[T]) -> dict[str, T]:
        prefix = f"studies/{what}/{attempt.study}/{attempt.round}/{attempt.attempt}/"
        return {key.rpartition("/")[2]: item for key, item in self._all(prefix, type_).items()}

    def _find(self, key: str, type_: type[T]) -> T | None:
        entry = self.view.entry(key)
        return None if entry is None else read(entry.body, type_)

    def _all(self, prefix: str, type_: type[T]) -> dict[str, T]:
        return {key: read(entry.body, type_) for key, entry in sorted(self.view.entries(prefix).items())}


def read(body: Mapping[str, Any], type_: type[T]) -> T:
    """A ledger record as `type_`; raises TrainingError `ledger.record-odd`, which means that versions do not match."""
    try:
        return msgspec.convert(body, type_)
    except msgspec.ValidationError as error:
        raise TrainingError("ledger.record-odd", f"a record does not read as {type_.__name__}: {error}") from None
