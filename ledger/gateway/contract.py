"""A deployed contract, to be asked and told: two doors, and the same flow step by step."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc

from consent import canonical
from ledger.errors import LedgerError, Refused
from ledger.gateway.checkpointer import Checkpointer, MemoryCheckpointer, Position
from ledger.gateway.commit import Commit
from ledger.gateway.connection import Absence, Connection, Deadline
from ledger.gateway.errors import CommitError, CommitStatusError, GatewayError, SubmitError
from ledger.gateway.events import Events
from ledger.gateway.proposal import Proposal
from ledger.gateway.retry import Retry
from ledger.gateway.status import Status
from ledger.gateway.transaction import Transaction

UNHEARD = 5.0  # seconds without a block after which the same bytes are sent once more, then after twice as many
SETTLING = 5.0  # seconds until peers have a block of others, or know what the others run, before a refusal counts


@dataclass(frozen=True, slots=True)
class Committed:
    """A write that stands: what the contract answered, the transaction's id and its block's number."""

    result: Any
    tx_id: str
    block: int


class Contract:
    """The chaincode of one channel, spoken to as one identity. Thread safe."""

    def __init__(self, connection: Connection, retry: Retry | None = None) -> None:
        self._connection = connection
        self._retry = retry or Retry()

    def submit(
        self, function: str, arguments: dict[str, Any], *, evidence: object | None = None, timeout: float = 30
    ) -> Committed:
        """Write: propose, let the hospitals endorse, order, and wait until it stands in a block as valid.

        `function`: `<contract>:<Verb>`. `arguments`: one object of plain JSON values. `evidence`: plain JSON that the
        endorsers see and no block holds. `timeout`: seconds for the whole flow, retries of lost races included.
        Raises Refused (the contract said no; nothing is written), EndorseError, SubmitError, CommitStatusError (the
        outcome is not known), CommitError (it was ordered and found invalid). A refusal counts if the peer that we
        speak to refuses too: another hospital's may be a block behind.
        """
        deadline, settling = Deadline(timeout), Deadline(min(timeout, SETTLING))
        attempt = 0
        while True:
            proposal = self.proposal(function, arguments, evidence=evidence)
            try:
                return self._attempt(proposal, deadline)
            except Refused:
                if settling.passed or not self._accepted_here(proposal, deadline):
                    raise
                pause = self._retry.delay(3)
            except GatewayError as error:
                if self._retry.settles(error) and not settling.passed:
                    pause = self._retry.delay(5)
                else:
                    attempt += 1
                    if attempt >= self._retry.attempts or deadline.passed or not self._retry.worthwhile(error):
                        raise
                    pause = self._retry.delay(attempt - 1)
            time.sleep(min(pause, deadline.left))

    def evaluate(self, function: str, arguments: dict[str, Any], *, timeout: float = 30) -> Any:
        """Read: one peer's answer from its committed state; nothing is ordered. Raises Refused, EvaluateError."""
        return _value(self.proposal(function, arguments).evaluate(timeout))

    def proposal(
        self,
        function: str,
        arguments: dict[str, Any],
        *,
        evidence: object | None = None,
        timestamp: float | None = None,
    ) -> Proposal:
        """The first step of the flow: evaluate or endorse it. `timestamp`: epoch seconds, now unless told."""
        transient = {} if evidence is None else {"evidence": canonical.encode(evidence)}
        return Proposal.build(
            self._connection, [function.encode(), canonical.encode(arguments)], transient, timestamp or time.time()
        )

    def events(
        self, start_block: int = 0, after_tx: str | None = None, *, checkpointer: Checkpointer | None = None
    ) -> Events:
        """Every event from block `start_block` on, those up to transaction `after_tx` of that block left out.

        A `checkpointer` decides instead of both where to begin; saving is the caller's, once an event is dealt with.
        """
        return Events(self._connection, checkpointer or MemoryCheckpointer(Position(start_block, after_tx)))

    def _accepted_here(self, proposal: Proposal, deadline: Deadline) -> bool:
        """Whether the peer that we speak to would do what another hospital's refused: then that one has not seen the
        newest block yet, on which the proposal rests, and the same is worth proposing again.
        """
        try:
            proposal.evaluate(deadline.left)
        except LedgerError:
            return False
        return True

    def _attempt(self, proposal: Proposal, deadline: Deadline) -> Committed:
        transaction = proposal.endorse(deadline.left)
        status = self._outcome(transaction, deadline)
        if not status.valid:
            raise CommitError(
                f"commit.{status.name.lower().replace('_', '-')}",
                f"the transaction was found invalid ({status.name}) and wrote nothing",
                tx_id=status.tx_id,
                validation=status.name,
                block=status.block,
            )
        return Committed(_value(transaction.result), status.tx_id, status.block)

    def _outcome(self, transaction: Transaction, deadline: Deadline) -> Status:
        """Submit, and ask what became of it. When the connection breaks, the ledger may have been restarted before it
        wrote the block, and when no block comes, a Raft orderer may have passed the transaction on to a leader that
        stands still, and lost it: the same bytes are sent again, which count once. A peer that stays away is waited for
        no longer than the connection's patience.
        """
        attempt, away, unheard = 0, Absence(self._connection.patience), UNHEARD
        commit = self._send(transaction, deadline)
        while True:
            try:
                return commit.status(min(unheard, deadline.left))
            except CommitStatusError as error:
                if error.status == grpc.StatusCode.DEADLINE_EXCEEDED.name and not deadline.passed:
                    unheard *= 2
                elif error.status != grpc.StatusCode.UNAVAILABLE.name or deadline.passed:
                    raise
                elif away.too_long():
                    raise away.error(CommitStatusError, transaction.tx_id) from error
                else:
                    time.sleep(min(self._retry.delay(attempt + 3), deadline.left))
                    attempt += 1
            with suppress(SubmitError):  # it was taken before: what became of it is known from a block alone
                self._send(transaction, Deadline(min(unheard, deadline.left)))

    def _send(self, transaction: Transaction, deadline: Deadline) -> Commit:
        """Submit, and again while the orderers are overloaded or choose a leader: the same bytes count once.

        A peer that is itself away is asked a few times; orderers of which a peer speaks, until the flow's time is up.
        """
        attempt = 0
        while True:
            try:
                return transaction.submit(deadline.left)
            except SubmitError as error:
                if error.ordered or (attempt > 0 and error.status == grpc.StatusCode.ALREADY_EXISTS.name):
                    return transaction.commit()
                if error.status != grpc.StatusCode.UNAVAILABLE.name or deadline.passed:
                    raise
                if not error.details and attempt + 1 >= self._retry.attempts:
                    raise
            time.sleep(min(self._retry.delay(attempt + 3), deadline.left))
            attempt += 1


def _value(payload: bytes) -> Any:
    return canonical.decode(payload) if payload else None
