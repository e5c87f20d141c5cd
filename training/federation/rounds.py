"""A study from its first round to its last confirmation, as the hub runs it.

All state stands on the ledger and in the blobs.
The hub opens and closes, nothing more: it never decides who takes part, and what it announces every site recomputes. A
hub killed anywhere runs the same study again and goes on: each step first looks whether it was done. A step that fails
aborts the attempt with a reason; what was spent stays spent; the next attempt is a spare one of the plan's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from consent.errors import CovenantError
from training.errors import TrainingError
from training.federation.chain import Chain
from training.federation.crashpoint import reach
from training.federation.messages import Kind, Reply, Request
from training.federation.studies import LedgerView, LedgerWriter, Round, Studies, Study
from training.federation.transport import Blobs
from training.federation.vectors import Vector, digest, to_bytes
from training.site.stores import EVALUATION, TRAINING

PATIENCE = 30.0  # seconds for this node's own projection to show its own transaction
CONFIRM_SECONDS = 120.0
GREET_SECONDS = 120.0
MARGIN = 1.0  # seconds a deadline is overshot, so that contract time has passed it
POLL = 0.01  # seconds between two looks at the projection

TRANSIENT = frozenset(  # a site that says so has not answered: it is asked again until the deadline
    {
        "portal.ledger-unavailable", "portal.broker-unavailable", "site.disk-full", "site.ledger-stale",
        "studies.cohort-late",
    }
)  # fmt: skip
WITHOUT_METRICS = frozenset({"rounds.attempts-exhausted", "studies.entitlement-missing"})
OPEN = frozenset({"open", "training", "closed", "aborted"})
FIXED = frozenset({"training", "closed", "aborted"})
CLOSED = frozenset({"closed"})
ABORTED = frozenset({"aborted"})


class Federation(Protocol):
    """Asks sites and brings back what they answered; federation.flower is the one that speaks Flower."""

    def ask(self, request: Request, sites: Sequence[str], seconds: float) -> dict[str, Reply]:
        """The replies that came within `seconds`, by site."""

    def train(
        self, request: Request, sites: Sequence[str], seconds: float, base: Vector, weights: dict[str, int]
    ) -> tuple[dict[str, Reply], Vector | None]:
        """The replies, and the aggregate if every one of `sites` sent an update."""


class AttemptFailed(Exception):
    """This attempt cannot close: `reason` is a stable code, and goes on the ledger."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class StudyRunner:
    """`alive`: called often; raises where another process has taken this study over. `clock`: epoch seconds.

    `before`: called with a round's number before it is worked on; raises where it should not begin yet. `certify`:
    gives the certificate's bytes for the final model, the same bytes whenever it is asked.
    """

    ledger: LedgerView
    writer: LedgerWriter
    federation: Federation
    blobs: Blobs
    chain: Chain
    certify: Callable[[Study, Vector], bytes]
    alive: Callable[[], None] = lambda: None
    before: Callable[[int], None] = lambda number: None
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    @property
    def studies(self) -> Studies:
        return Studies(self.ledger)

    def run(self, study_id: str) -> Vector:
        """The final model: every round closed, metrics released, every site's word for model and certificate given.

        Raises TrainingError `rounds.attempts-exhausted`, `rounds.unconfirmed`, `rounds.projection-stale`, the
        contracts' refusals (a revoked entitlement, an account that is spent), and what the ledger's own check raises,
        asked before each round: nothing is opened on a ledger that lacks what was seen of it.
        """
        study = self.studies.study(study_id)
        self.blobs.get(study.plan.initial)  # nothing is opened, and nothing spent, without weights to start from
        self._greet(study)
        for number in range(1, study.plan.rounds + 1):
            self.before(number)
            self.ledger.check()
            self._close(study, number, TRAINING)
        self.ledger.check()
        self._measure(study)
        model = self.chain.final(study)
        if self.studies.study(study_id).status != "released":
            self._confirm(study, self.certify(study, model))
        return model

    def _greet(self, study: Study) -> None:
        """Before the first round, wait a while until every site answers: a slow start should cost no attempt."""
        if not self.studies.rounds(study.study):
            request = Request(kind="describe", study=study.study, round=0, attempt=0, height=0)
            self.federation.ask(request, study.plan.sites, GREET_SECONDS)

    def _measure(self, study: Study) -> None:
        """The evaluation, if enough sites take part and may: a model without released metrics is still a model."""
        try:
            self._close(study, study.plan.rounds + 1, EVALUATION)
        except CovenantError as error:
            if error.code not in WITHOUT_METRICS:
                raise

    def _close(self, study: Study, number: int, kind: str) -> None:
        """Bring round `number` to its close, through as many attempts as the plan has."""
        while (attempt := self._current(study, number, kind)) is not None:
            self.alive()
            try:
                self._advance(study, attempt)
            except AttemptFailed as failure:
                self._submit("studies:Abort", attempt, ABORTED, reason=failure.reason)

    def _current(self, study: Study, number: int, kind: str) -> Round | None:
        """The attempt under way, opened now if need be; None when the round is closed."""
        last = self.studies.last(study.study, number)
        if last is not None and last.status == "closed":
            return None
        if last is None or last.status == "aborted":
            spent = sum(1 for item in self.studies.rounds(study.study) if item.status == "aborted")
            if last is not None and spent > study.plan.spare_attempts:
                message = f"no spare attempt is left; the last failed: {last.reason}"
                raise TrainingError("rounds.attempts-exhausted", message, round=number)
            place = (study.study, number, last.attempt + 1 if last else 1)
            self.writer.submit("studies:Open", {**named(place), "kind": kind})
            reach("hub.opened")
            last = self._shown(place, OPEN)
        return last

    def _advance(self, study: Study, attempt: Round) -> None:
        if attempt.status == "open":
            attempt = self._gather(study, attempt)
        if attempt.kind == TRAINING:
            self._train(study, attempt)
        else:
            self._evaluate(attempt)

    def _gather(self, study: Study, attempt: Round) -> Round:
        """Cohorts: ask every site that has not answered; fix the set when all have, or when the deadline has passed."""
        sites = [site for site in study.plan.sites if site not in self.studies.commitments(attempt)]
        if sites:
            replies = self._ask("cohort", attempt, sites, attempt.cohort_deadline)
            if len(replies) < len(sites):
                self._wait_until(attempt.cohort_deadline)
        reach("hub.gathered")
        try:
            fixed = self._submit("studies:Fix", attempt, FIXED)
        except CovenantError as error:
            raise refused(error) from error
        reach("hub.fixed")
        return fixed

    def _train(self, study: Study, attempt: Round) -> None:
        base = self.chain.entering(study, attempt)
        model, replies = None, dict[str, Reply]()
        for seconds in self._tries(attempt.update_deadline):
            request = self._request("train", attempt)
            try:
                replies, model = self.federation.train(request, attempt.sites, seconds, base, study.plan.weights)
            except TrainingError as error:  # an update that fits no other ends the attempt, not the study
                raise AttemptFailed(error.code) from error
            if not refuse_failed(replies):
                break
        if model is None:
            raise AttemptFailed(next((reply.code for reply in replies.values() if reply.code), "rounds.update-missing"))
        reach("hub.aggregated")
        model = self.chain.closing(study, attempt.round, model)
        self.blobs.put(to_bytes(model))
        self._close_attempt(attempt, model=digest(model))

    def _evaluate(self, attempt: Round) -> None:
        replies = self._ask("evaluate", attempt, attempt.sites, attempt.update_deadline)
        if len(replies) < len(attempt.sites):
            raise AttemptFailed("rounds.measure-missing")
        self._close_attempt(attempt, model=None)

    def _close_attempt(self, attempt: Round, model: str | None) -> None:
        try:
            self._submit("studies:Close", attempt, CLOSED, model=model)
        except CovenantError as error:
            raise refused(error) from error
        reach("hub.closed")

    def _confirm(self, study: Study, certificate: bytes) -> None:
        """Every site that took part recomputes the final model, checks what its certificate says, and confirms both."""
        name, file = self.blobs.put(certificate), sha256(certificate).hexdigest()
        if not (sites := self._unconfirmed(study, file)):
            return
        request = Request(
            kind="confirm", study=study.study, round=0, attempt=0, height=self.ledger.height(), certificate=name
        )
        replies = self.federation.ask(request, sites, CONFIRM_SECONDS)
        refused = {site: reply.code for site, reply in replies.items() if reply.code}
        if refused or len(replies) < len(sites):
            raise TrainingError(
                "rounds.unconfirmed", "not every site confirmed the final model: run again", refused=refused
            )
        deadline = self.clock() + PATIENCE
        while self._unconfirmed(study, file):
            if self.clock() > deadline:
                raise stale()
            self.sleep(POLL)

    def _unconfirmed(self, study: Study, certificate: str) -> list[str]:
        """The sites that took part and have not confirmed this certificate (SHA-256)."""
        part = {site for item in self.studies.closed(study.study) for site in item.sites}
        given = self.studies.confirmations(study.study)
        return sorted(site for site in part if given.get(site) != certificate)

    def _ask(self, kind: Kind, attempt: Round, sites: Sequence[str], deadline: int) -> dict[str, Reply]:
        """The answers by the deadline; a site whose ledger or broker was away for a moment is asked again."""
        answers: dict[str, Reply] = {}
        for seconds in self._tries(deadline):
            waiting = [site for site in sites if site not in answers]
            replies = self.federation.ask(self._request(kind, attempt), waiting, seconds)
            again = refuse_failed(replies)
            answers |= {site: reply for site, reply in replies.items() if site not in again}
            if not again:
                break
        return answers

    def _tries(self, deadline: int) -> Iterator[float]:
        """How many seconds are left, for as often as another try makes sense before `deadline`."""
        yield self._left(deadline)
        while deadline - self.clock() > MARGIN:
            self.alive()
            self.sleep(MARGIN)
            yield self._left(deadline)

    def _request(self, kind: Kind, attempt: Round) -> Request:
        height = self.ledger.height()
        return Request(kind=kind, study=attempt.study, round=attempt.round, attempt=attempt.attempt, height=height)

    def _submit(self, function: str, attempt: Round, statuses: frozenset[str], **facts: str | None) -> Round:
        """Submit, and wait until this node's projection shows it: a repeated write makes no event to wait for."""
        place = (attempt.study, attempt.round, attempt.attempt)
        self.writer.submit(function, {**named(place), **facts})
        return self._shown(place, statuses)

    def _shown(self, place: tuple[str, int, int], statuses: frozenset[str]) -> Round:
        deadline = self.clock() + PATIENCE
        while self.clock() < deadline:
            found = self.studies.attempt(*place)
            if found is not None and found[0].status in statuses:
                return found[0]
            self.sleep(POLL)
        raise stale()

    def _left(self, deadline: int) -> float:
        return max(MARGIN, deadline - self.clock())

    def _wait_until(self, deadline: int) -> None:
        while (left := deadline + MARGIN - self.clock()) > 0:
            self.alive()
            self.sleep(min(left, 0.5))


def refuse_failed(replies: dict[str, Reply]) -> set[str]:
    """The sites to ask again. An attempt stops at the first real refusal: Flower by itself would go on without it."""
    for _, reply in sorted(replies.items()):
        if reply.code is not None and reply.code not in TRANSIENT:
            raise AttemptFailed(reply.code)
    return {site for site, reply in replies.items() if reply.code is not None}


def refused(error: CovenantError) -> Exception:
    """A contract that will not go on with this attempt ends the attempt; anything else is not the attempt's fault."""
    return AttemptFailed(error.code) if error.code.startswith(("studies.", "budget.", "access.")) else error


def named(place: tuple[str, int, int]) -> dict[str, str | int]:
    """The arguments that name an attempt."""
    return dict(zip(("study", "round", "attempt"), place, strict=True))


def stale() -> TrainingError:
    return TrainingError("rounds.projection-stale", "this node's projection does not follow: is its reactor running?")
