"""The site agent: one hospital's part in a study. It answers requests; it believes none of them.

What it may do follows from this hospital's own projection of the ledger, its own stores and its own installed code.
Every step can be asked for again: a finished step is answered from its record, an unfinished one is never done twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from consent.canonical import decode, encode
from consent.purpose import Purpose
from training.errors import TrainingError
from training.federation.chain import Chain
from training.federation.crashpoint import reach
from training.federation.messages import Request
from training.federation.schedule import plan_of_round
from training.federation.studies import Commitment, LedgerView, LedgerWriter, Round, Studies, Study
from training.federation.transport import Blobs
from training.federation.vectors import Vector, digest_bytes, from_bytes, to_bytes
from training.site import ceiling, certified, permission, starting
from training.site.cohort import MINIMUM, freeze
from training.site.gate import Gate
from training.site.stores import (
    EVALUATION,
    TRAINING,
    Attempt,
    AttemptStore,
    CohortStore,
    ConsentStore,
    FrozenCohort,
    Records,
    RecordStore,
    Tally,
    Trainer,
)

CLOCK_SKEW = 300  # seconds between a round's Open and this site's own clock
PATIENCE = 20.0  # seconds to follow the ledger to the height a request names


@dataclass(frozen=True, slots=True)
class Answer:
    """`facts` as they stand on the ledger; `vector`: the noised update, only ever after its spend is committed."""

    facts: Mapping[str, str]
    vector: Vector | None = None


@dataclass(frozen=True, kw_only=True)
class SiteAgent:
    """`msp`: this hospital. `code`: digest of the code installed here. `clock`: epoch seconds.

    `public_weights`: the folder of the files that a study may start from.
    """

    msp: str
    code: str
    clock: Callable[[], float]
    ledger: LedgerView
    writer: LedgerWriter
    consents: ConsentStore
    records: RecordStore
    cohorts: CohortStore
    attempts: AttemptStore
    blobs: Blobs
    chain: Chain
    trainer: Trainer
    public_weights: Path

    @property
    def studies(self) -> Studies:
        return Studies(self.ledger)

    def handle(self, request: Request) -> Answer:
        """Do what `request` asks, or what is left of it. Raises CovenantError; the code travels back, details do not.

        Codes: of the ledger's own check (it lacks what was seen of it), `site.disk-full`, `site.ledger-stale`,
        `site.wrong-code`, `site.round-not-open`, `site.clock-skew`, `site.over-ceiling`,
        `site.attempt-lost`, and those of `permission`, of the dry run (`model.*`), of public weights
        (`weights.*`), of the chain, of the stores and of
        the contracts.
        """
        self.attempts.require_room()
        self.ledger.check()
        if not self.ledger.reached(request.height, PATIENCE):
            raise TrainingError("site.ledger-stale", "this site has not followed the ledger that far yet: ask again")
        steps = {
            "cohort": self.cohort,
            "train": self.train,
            "evaluate": self.evaluate,
            "confirm": self.confirm,
            "describe": self.describe,
        }
        return steps[request.kind](request)

    def describe(self, request: Request) -> Answer:
        """What runs here and how far it has followed the ledger."""
        return Answer({"code": self.code, "height": str(self.ledger.height())})

    def cohort(self, request: Request) -> Answer:
        """Freeze this attempt's cohort, keep it, then commit its root; or decline, without a reason."""
        study, attempt, block = self._asked(request, ("open", "training"))
        if standing := self.studies.commitments(attempt).get(self.msp):
            return Answer(committed(standing))
        if attempt.status != "open":
            raise TrainingError("site.round-not-open", "this attempt's sites are fixed; this site is not among them")
        if abs(self.clock() - attempt.opened) > CLOCK_SKEW:
            raise TrainingError("site.clock-skew", "this round was not opened now: check clocks, open a new attempt")
        ceiling.check(study.plan)
        self.trainer.rehearse(study.plan)
        starting.check(self.studies.lineage(study)[-1].plan, self.public_weights)
        self.chain.entering(study, attempt)
        dataset = study.plan.dataset(self.msp)
        commitment = self._commitment(study, attempt, block)
        reach("site.cohort-frozen")
        self.writer.submit(
            "studies:Commit",
            {
                "study": study.study,
                "round": attempt.round,
                "attempt": attempt.attempt,
                "dataset": dataset.dataset,
                "version": dataset.version,
                "root": commitment.root,
                "bucket": commitment.bucket,
                "declined": commitment.declined,
            },
        )
        reach("site.cohort-committed")
        return Answer(committed(commitment))

    def train(self, request: Request) -> Answer:
        """Train on the frozen cohort as it still stands, keep the noised update, spend for it, only then let it go."""
        study, attempt, _ = self._asked(request, ("training",))
        key = named(attempt, TRAINING)
        done = self.msp in self.studies.updates(attempt)
        purpose = None if done else permission.contributing(self.studies, study, attempt, self.msp, self.clock())
        result = self.attempts.result(key)
        if result is None:
            records = self._begin(study, attempt, key, purpose)
            dataset = study.plan.dataset(self.msp)
            plan = plan_of_round(self.studies.lineage(study), attempt.round)
            update = self.trainer.train(
                self.chain.entering(study, attempt), records, plan, float(dataset.expected_batch)
            )
            reach("site.trained")
            result = to_bytes(update)
            self.attempts.keep(key, result)
        reach("site.update-kept")
        name = digest_bytes(result)
        self.writer.submit(
            "studies:Update",
            {"study": study.study, "round": attempt.round, "attempt": attempt.attempt, "update": name},
        )
        reach("site.update-spent")
        return Answer({"update": name}, from_bytes(result))

    def evaluate(self, request: Request) -> Answer:
        """Measure the final model on the frozen held-out cohort; noised counts go to the ledger, once a study."""
        study, attempt, _ = self._asked(request, ("training",))
        if released := self.studies.measured(attempt).get(self.msp):
            return Answer({"correct": str(released.correct), "total": str(released.total)})
        key = named(attempt, EVALUATION)
        purpose = permission.contributing(self.studies, study, attempt, self.msp, self.clock())
        result = self.attempts.result(key)
        if result is None:
            records = self._begin(study, attempt, key, purpose)
            counts = self.trainer.measure(self.chain.entering(study, attempt), records, study.plan)
            result = encode({"correct": counts["correct"], "total": counts["total"]})
            self.attempts.keep(key, result)
        reach("site.measure-kept")
        noised = decode(result)
        self.writer.submit(
            "studies:Measure",
            {"study": study.study, "round": attempt.round, "attempt": attempt.attempt, **noised},
        )
        reach("site.measure-spent")
        return Answer({"correct": str(noised["correct"]), "total": str(noised["total"])})

    def confirm(self, request: Request) -> Answer:
        """Recompute the final model from every released update, check what its certificate says, confirm both."""
        study = self._study(request)
        final = self.chain.final(study)
        certificate = certified.check(self.ledger, study, final, self.blobs.get(request.certificate))
        model = digest_bytes(to_bytes(final))
        if self.studies.confirmations(study.study).get(self.msp) != certificate:
            self.writer.submit("studies:Confirm", {"study": study.study, "model": model, "certificate": certificate})
        return Answer({"model": model, "certificate": certificate})

    def _study(self, request: Request) -> Study:
        study = self.studies.study(request.study)
        study.plan.dataset(self.msp)
        if study.plan.code != self.code:
            raise TrainingError("site.wrong-code", "the code installed here is not the plan's", installed=self.code)
        return study

    def _asked(self, request: Request, statuses: tuple[str, ...]) -> tuple[Study, Round, int]:
        """The study and attempt a request is about, and the block that opened it, if the ledger says it is due."""
        found = self.studies.attempt(request.study, request.round, request.attempt)
        if found is None or found[0].status not in statuses:
            raise TrainingError("site.round-not-open", "the ledger shows no such round open for this step")
        attempt, block = found
        if {"train": TRAINING, "evaluate": EVALUATION}.get(request.kind, attempt.kind) != attempt.kind:
            raise TrainingError("site.round-not-open", "this round is open for something else")
        return self._study(request), attempt, block

    def _commitment(self, study: Study, attempt: Round, block: int) -> Commitment:
        """This site's answer to an open round. Whatever keeps it out looks the same from outside."""
        key = named(attempt, attempt.kind)
        if self.studies.paused(self.msp):
            return Commitment(declined=True)
        if (frozen := self.cohorts.frozen(key)) is None:
            dataset = study.plan.dataset(self.msp)
            purpose = permission.purpose(self.studies, study, attempt, self.msp, attempt.opened)
            patients = self.records.patients(dataset.dataset, dataset.version, attempt.kind)
            occasion = self.studies.occasion(study, self.msp)
            admitted = Gate(purpose, attempt.opened, block, occasion).admit(self.consents.standings(patients))
            failed = dict(self.records.failed(dataset.dataset, dataset.version))
            self.attempts.note(key, Tally(len(admitted), len(patients) - len(admitted), failed))
            frozen = freeze(admitted, key, minimum=study.plan.min_cohort, seed=os.urandom(32), height=block)
            if frozen is None:
                return Commitment(declined=True)
            self.cohorts.freeze(key, frozen)
        return Commitment(declined=False, root=frozen.root, bucket=frozen.bucket)

    def _begin(self, study: Study, attempt: Round, key: Attempt, purpose: Purpose | None) -> Records:
        """The records this attempt may read, once. `purpose`: None where the ledger has this site's contribution."""
        frozen = self.cohorts.frozen(key)
        standing = self.studies.commitments(attempt).get(self.msp)
        if purpose is None or frozen is None or standing is None or frozen.root != standing.root:
            raise lost("the ledger knows more of this attempt than this site's store: open another attempt")
        patients = self._remaining(study, attempt, frozen, purpose)
        if not self.attempts.start(key):
            raise lost("this site began this attempt before and did not finish it: open another attempt")
        reach("site.begun")
        dataset = study.plan.dataset(self.msp)
        return self.records.load(dataset.dataset, dataset.version, patients)

    def _remaining(self, study: Study, attempt: Round, frozen: FrozenCohort, purpose: Purpose) -> list[str]:
        """The committed cohort's patients whose grant the gate still lets in: who has withdrawn since is left out.

        Withdrawals count once this hospital knows of them, at its own counter or from a block its peer delivered.
        """
        members = frozen.members
        standings = self.consents.standings([member.patient for member in members])
        occasion = self.studies.occasion(study, self.msp)
        admitted = Gate(purpose, attempt.opened, frozen.opened_block, occasion).admit(standings)
        still = {item.commitment for item in admitted}
        patients = [member.patient for member in members if member.commitment in still]
        if len(patients) < max(study.plan.min_cohort, MINIMUM):
            raise lost("withdrawals left too few patients: nothing was read, and the code says no more than a crash's")
        return patients


def named(attempt: Round, kind: str) -> Attempt:
    return Attempt(attempt.study, attempt.round, attempt.attempt, kind)


def committed(standing: Commitment) -> dict[str, str]:
    if standing.declined:
        return {"declined": "yes"}
    return {"declined": "no", "root": standing.root or "", "bucket": standing.bucket or ""}


def lost(message: str) -> TrainingError:
    return TrainingError("site.attempt-lost", message)
