"""What a hospital's site needs from its hospital, as protocols: consents, records, cohorts, attempts.

The portal implements the first three over the hospital's own database; attempts stand in files beside it
(training.site.attempts). Nothing here can be reached from outside the hospital.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from consent.decide import ConsentView
from consent.mandate import Age
from training.federation.studies import Plan
from training.federation.vectors import Vector

TRAINING, EVALUATION = "training", "evaluation"


class Attempt(NamedTuple):
    """What a cohort and an update belong to. `kind` is TRAINING or EVALUATION."""

    study: str
    round: int
    attempt: int
    kind: str


@dataclass(frozen=True, slots=True)
class Standing:
    """One grant of one patient, as this hospital's projection and its own counter know it.

    `view`: what the gate decides on; its status is the present one. `recorded_block`, `withdrawn_block`: None while the
    ledger does not show it. `withdrawn_here`: handed in at this hospital, perhaps not yet on the ledger. `secret`: the
    patient's 32 bytes, from the opened details. `speaker`: "" the patient, or who signed for them under a mandate;
    `mandate_ended`: when that was ended before its time. `age`: the patient's, as the hospital has it today.
    """

    patient: str
    commitment: str
    view: ConsentView
    attestation: str
    secret: bytes
    recorded_block: int | None
    withdrawn_block: int | None = None
    withdrawn_by: str | None = None
    withdrawn_here: bool = False
    speaker: str = ""
    mandate_ended: int | None = None
    age: Age | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One patient in a cohort: the grant that let them in, and their key in the tree (32 bytes)."""

    patient: str
    commitment: str
    key: bytes


@dataclass(frozen=True, slots=True)
class FrozenCohort:
    """Who takes part in an attempt: frozen before the root is committed, never changed after.

    `root`: hexadecimal digest of the padded tree. `seed`: 32 secret bytes behind the padding. `opened_block`: the
    height that consent was decided at.
    """

    members: tuple[Member, ...]
    root: str
    bucket: str
    seed: bytes
    opened_block: int


class Tally(msgspec.Struct, frozen=True):
    """What became of a data set in one attempt, for this hospital's eyes alone: no message and no ledger holds it.

    `used`: patients whom consent let in. `excluded`: patients whom it did not. `failed`: reason -> how many records
    nobody could use, whatever their patient said; of the whole data set, training and held out.
    """

    used: int
    excluded: int
    failed: dict[str, int]


@dataclass(frozen=True, slots=True)
class Records:
    """Records ready for the model. `features`: float32 (n, d). `labels`: (n,). `owners`: (n,), the patient's index."""

    features: NDArray[np.float32]
    labels: NDArray[Any]
    owners: NDArray[np.int64]


class ConsentStore(Protocol):
    def standings(self, patients: Collection[str]) -> Iterable[Standing]:
        """Every grant about `patients` ever given here, opened; one that cannot be opened comes without details."""


class RecordStore(Protocol):
    def patients(self, dataset: str, version: int, kind: str) -> Sequence[str]:
        """Whose records the data set holds for training, or held out for evaluation."""

    def failed(self, dataset: str, version: int) -> Mapping[str, int]:
        """Reason (a code) -> how many records of the data set belong to nobody here, or could not be prepared."""

    def load(self, dataset: str, version: int, patients: Collection[str]) -> Records:
        """The records of exactly these patients; a patient without a record is refused `site.record-missing`."""


class CohortStore(Protocol):
    def frozen(self, attempt: Attempt) -> FrozenCohort | None: ...

    def freeze(self, attempt: Attempt, cohort: FrozenCohort) -> None:
        """Keep it durably before returning. A second one for the same attempt is refused `site.cohort-known`."""


class AttemptStore(Protocol):
    def require_room(self) -> None:
        """Raises TrainingError `site.disk-full` where there is too little to go through a step with."""

    def note(self, attempt: Attempt, tally: Tally) -> None:
        """Keep what became of the data set, here alone. Raises TrainingError `site.disk-full`."""

    def start(self, attempt: Attempt) -> bool:
        """Note durably that work begins; False where it had begun before."""

    def result(self, attempt: Attempt) -> bytes | None:
        """What an earlier call finished, noised, as it may be released."""

    def keep(self, attempt: Attempt, result: bytes) -> None:
        """Keep `result` durably before returning. Raises TrainingError `site.disk-full`, `site.result-known`."""


class VectorCache(Protocol):
    def get(self, digest: str) -> Vector | None: ...

    def put(self, vector: Vector) -> str: ...


class Trainer(Protocol):
    """The part that touches records. Only noised results come out of `train` and `measure`."""

    def rehearse(self, plan: Plan) -> None:
        """Return quietly if the plan's network can train here, tried on made-up records. Raises ModelRefused."""

    def train(self, weights: Vector, records: Records, plan: Plan, expected_batch: float) -> Vector:
        """The noised, filtered update."""

    def measure(self, weights: Vector, records: Records, plan: Plan) -> Mapping[str, int]:
        """Noised `correct` and `total`."""
