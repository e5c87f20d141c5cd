"""How the consortium changes its own rules: proposals, one vote a hospital, execution of exactly what was voted on.

State: `governance/proposal/<uuid>` -> Proposal, `governance/vote/<uuid>/<msp>` -> Vote. The digest that a vote names
covers the action, the deadline and the proposer; hard limits (`constitution`) bind an executed proposal like anything
else.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from consent import canonical
from consent.canonical import Document
from ledger.contracts import members
from ledger.contracts.actions import Action, check, execute
from ledger.contracts.constitution import MAX_PROPOSAL_SECONDS
from ledger.contracts.fields import Digest, Seconds, Uuid
from ledger.contracts.functions import ANY_ROLE, Contract, Role, query, transaction
from ledger.contracts.state import Ledger, agree
from ledger.errors import Refused


class Proposal(Document, frozen=True):
    """A proposal. `snapshot`: the hospitals that may vote, as they were when it was made, sorted."""

    proposal: Uuid
    action: Action
    deadline: Seconds
    digest: Digest
    proposer: str
    proposed: Seconds
    snapshot: tuple[str, ...]
    status: Literal["open", "executed", "expired"]


class Vote(Document, frozen=True):
    """A hospital's vote on a proposal, given once."""

    proposal: Uuid
    hospital: str
    digest: Digest
    choice: Literal["yes", "no"]
    cast: Seconds


class Governance(Contract):
    """Stewards of hospitals propose, vote and execute; each hospital has one vote."""

    name = "governance"

    @transaction(role=Role.STEWARD, event="governance.proposed")
    def propose(self, ledger: Ledger, *, proposal: Uuid, action: Action, deadline: Seconds) -> Proposal:
        """Put an action to the vote of all hospitals, until `deadline`.

        Refuses `governance.deadline`, `governance.known-differently`, and what the action itself would be refused for:
        `governance.hospital-unknown`, `governance.disjoint`, `budget.no-account`, `budget.cap`, `members.roles`,
        `members.rp-id`, `members.country`, `members.kind`, `studies.unknown`, `studies.wrong-status`,
        `studies.nothing-owed`.
        """
        proposer = ledger.creator.organisation
        offered = Proposal(
            proposal=proposal,
            action=action,
            deadline=deadline,
            digest=digest_of(proposal, action, deadline, proposer),
            proposer=proposer,
            proposed=ledger.now,
            snapshot=members.require_consortium(ledger).hospitals,
            status="open",
        )
        if standing := ledger.find(key(proposal), Proposal):
            agree(standing, offered, "governance.known-differently", "proposed", "snapshot", "status")
            return standing
        if not ledger.now < deadline <= ledger.now + MAX_PROPOSAL_SECONDS:
            raise Refused("governance.deadline", "a vote ends later than now and within 90 days", deadline=deadline)
        check(ledger, action)
        ledger.put(key(proposal), offered)
        return offered

    @transaction(role=Role.STEWARD, event="governance.voted")
    def vote(self, ledger: Ledger, *, proposal: Uuid, digest: Digest, choice: Literal["yes", "no"]) -> Vote:
        """Cast the caller's hospital's vote, once, on exactly what `digest` names.

        Refuses `governance.unknown`, `governance.not-in-snapshot`, `governance.digest-mismatch`, `governance.closed`,
        `governance.deadline-passed`, `governance.known-differently`.
        """
        standing = require(ledger, proposal)
        hospital = ledger.creator.organisation
        if hospital not in standing.snapshot:
            raise Refused(
                "governance.not-in-snapshot", "only hospitals that were members when it was proposed vote on it"
            )
        if digest != standing.digest:
            raise Refused("governance.digest-mismatch", "this vote names something else than what is proposed")
        offered = Vote(proposal=proposal, hospital=hospital, digest=digest, choice=choice, cast=ledger.now)
        if cast := ledger.find(vote_key(proposal, hospital), Vote):
            agree(cast, offered, "governance.known-differently", "cast")
            return cast
        require_open(ledger, standing)
        ledger.put(vote_key(proposal, hospital), offered)
        return offered

    @transaction(role=Role.STEWARD, event="governance.executed")
    def execute(self, ledger: Ledger, *, proposal: Uuid) -> Proposal:
        """Carry out a proposal that more than half of the snapshot's hospitals voted for, before its deadline.

        Refuses `governance.unknown`, `governance.closed`, `governance.deadline-passed`, `governance.no-majority`, and
        what `governance:Propose` refuses of an action, judged anew.
        """
        standing = require(ledger, proposal)
        if standing.status == "executed":
            return standing
        require_open(ledger, standing)
        votes = [ledger.find(vote_key(proposal, hospital), Vote) for hospital in standing.snapshot]
        yes = sum(vote is not None and vote.choice == "yes" for vote in votes)
        if 2 * yes <= len(standing.snapshot):
            raise Refused(
                "governance.no-majority",
                "more than half of the hospitals must have voted yes",
                yes=yes,
                hospitals=len(standing.snapshot),
            )
        check(ledger, standing.action)
        executed = replace(standing, status="executed")
        execute(ledger, proposal, standing.action)
        ledger.put(key(proposal), executed)
        return executed

    @transaction(role=ANY_ROLE, event="governance.expired")
    def expire(self, ledger: Ledger, *, proposal: Uuid) -> Proposal:
        """Close a proposal whose deadline has passed without execution.

        Refuses `governance.unknown`, `governance.closed`, `governance.still-open`.
        """
        standing = require(ledger, proposal)
        if standing.status == "expired":
            return standing
        if standing.status == "executed":
            raise Refused("governance.closed", "this proposal was executed")
        if ledger.now < standing.deadline:
            raise Refused("governance.still-open", "the vote has not ended yet", deadline=standing.deadline)
        expired = replace(standing, status="expired")
        ledger.put(key(proposal), expired)
        return expired

    @query
    def get(self, ledger: Ledger, *, proposal: Uuid) -> Proposal | None:
        """The proposal, or null."""
        return ledger.find(key(proposal), Proposal)


def key(proposal: str) -> str:
    return f"governance/proposal/{proposal}"


def vote_key(proposal: str, hospital: str) -> str:
    return f"governance/vote/{proposal}/{hospital}"


def digest_of(proposal: str, action: Action, deadline: int, proposer: str) -> str:
    """What a vote names: hex, tag `covenant.proposal.v1`, over the canonical JSON of all that will run."""
    content = {"proposal": proposal, "action": action, "deadline": deadline, "proposer": proposer}
    return canonical.digest("covenant.proposal.v1", canonical.encode(content)).hex()


def require(ledger: Ledger, proposal: str) -> Proposal:
    """The proposal; refuses `governance.unknown`."""
    standing = ledger.find(key(proposal), Proposal)
    if standing is None:
        raise Refused("governance.unknown", "there is no such proposal", proposal=proposal)
    return standing


def require_open(ledger: Ledger, proposal: Proposal) -> None:
    """Refuses `governance.closed`, `governance.deadline-passed`."""
    if proposal.status != "open":
        raise Refused("governance.closed", f"this proposal is {proposal.status}")
    if ledger.now >= proposal.deadline:
        raise Refused("governance.deadline-passed", "the vote has ended", deadline=proposal.deadline)
