"""A study's frame: proposed by its sponsor, approved by each site, stopped or finished. Its rounds: `rounds`."""

from __future__ import annotations

from msgspec.structs import replace

from consent import periods
from consent.canonical import Document
from ledger.contracts import access, accounts, closings, debts, members, reservations
from ledger.contracts import study as studies
from ledger.contracts.fields import Code, Digest, Uuid
from ledger.contracts.functions import ANY_ROLE, Contract, Role, query, transaction
from ledger.contracts.plans import check_plan, check_usable, entitlement_of
from ledger.contracts.state import Ledger, agree
from ledger.contracts.study import Approval, Head, Pause, Plan, Study
from ledger.errors import Refused


class StudyView(Document, frozen=True):
    """A study with its head and the approvals given so far."""

    study: Study
    head: Head | None
    approvals: tuple[Approval, ...]


class Studies(Contract):
    """The sponsor proposes, each site's steward approves by digest, and approval reserves the privacy budget."""

    name = "studies"

    @transaction(role=Role.RESEARCHER, event="studies.proposed")
    def propose(self, ledger: Ledger, *, study: Uuid, plan: Plan) -> Study:
        """Propose a plan; the caller's organisation becomes the sponsor.

        Refuses `studies.known-differently`, `studies.plan-sigma`, `studies.plan-q`, `studies.plan-clip`,
        `studies.plan-steps`, `studies.plan-delta`, `studies.plan-min-cohort`, `studies.plan-quorum`,
        `studies.plan-averaging`, `studies.plan-dataset`, `studies.plan-unit` (not that of its data sets),
        `studies.unknown`, `studies.not-sponsor`, `studies.wrong-status`, `studies.round-unknown`,
        `studies.plan-restart`, `studies.plan-checkpoint` (of a restart), `studies.plan-request`, `access.unknown`,
        `studies.entitlement-missing`, `catalogue.unknown`, `catalogue.retired`, `access.duo-denied` (by the rules of
        today), `budget.no-account`, `budget.over-cap` (names the hospital), `studies.return-overdue` (the sponsor owes
        results).
        """
        sponsor = ledger.creator.organisation
        offered = Study(
            study=study,
            sponsor=sponsor,
            plan=plan,
            plan_digest=plan.digest(),
            proposed=ledger.now,
            status="proposed",
            reason=None,
        )
        if standing := ledger.find(studies.key(study), Study):
            agree(standing, offered, "studies.known-differently", "proposed", "status", "reason")
            return standing
        check_plan(ledger, plan, sponsor)
        ledger.put(studies.key(study), offered)
        return offered

    @transaction(role=Role.STEWARD, event="studies.approved")
    def approve(self, ledger: Ledger, *, study: Uuid, plan_digest: Digest) -> Approval:
        """Approve the plan with this digest for the caller's hospital, and reserve its budget in the same transaction.

        The last approval needed makes the study approved.
        Refuses `studies.unknown`, `studies.not-a-site`, `studies.digest-mismatch`, `studies.wrong-status`,
        `studies.entitlement-missing`, `catalogue.unknown`, `catalogue.retired`, `access.duo-denied` (by the rules of
        today), `budget.no-account`, `budget.over-cap` (names the hospital, which need not be the caller's: its patients
        may be patients here too), `studies.return-overdue` (the sponsor owes results).
        """
        standing = studies.require(ledger, study)
        source = studies.require_site(ledger, standing)
        hospital = ledger.creator.organisation
        if plan_digest != standing.plan_digest:
            raise Refused(
                "studies.digest-mismatch", "the study's plan has another digest: read the plan that is proposed"
            )
        if given := ledger.find(studies.approval_key(study, hospital), Approval):
            return given
        studies.require_status(standing, "proposed")
        debts.check(ledger, standing.sponsor)
        check_usable(ledger, standing.plan, source)
        reservations.check_promise(ledger, standing.plan, (hospital,))
        account = accounts.promise(accounts.require(ledger, hospital), reservations.promised(standing.plan))
        others = [other for other in standing.plan.hospitals if other != hospital]
        last = all(ledger.find(studies.approval_key(study, other), Approval) is not None for other in others)
        approval = Approval(study=study, hospital=hospital, plan_digest=plan_digest, approved=ledger.now)
        ledger.put(accounts.key(hospital), account)
        ledger.put(reservations.key(hospital, study), reservations.of(standing, hospital))
        ledger.put(studies.approval_key(study, hospital), approval)
        if last:
            ledger.put(studies.key(study), replace(standing, status="approved"))
        return approval

    @transaction(role=ANY_ROLE, event="studies.stopped")
    def stop(self, ledger: Ledger, *, study: Uuid, reason: Code) -> Study:
        """End a study for good: by its sponsor, or by any member once the access it rests on has ended.

        That is the request's last day for every study, and for one that still has to train also the end of any of its
        data sets' entitlements, which opens no round any more.

        Refuses `studies.unknown`, `studies.wrong-status`, `studies.not-sponsor`.
        """
        standing = studies.require(ledger, study)
        if standing.status == "stopped":
            return standing
        studies.require_status(standing, "proposed", "approved", "running", "trained")
        if not is_over(ledger, standing):
            studies.require_sponsor(ledger, standing)
            members.require_role(ledger, (Role.RESEARCHER, Role.RUNNER))
        stopped = replace(standing, status="stopped", reason=reason)
        ledger.put(studies.key(study), stopped)
        closings.incur(ledger, standing)
        return stopped

    @transaction(role=Role.STEWARD, event="studies.paused")
    def pause(self, ledger: Ledger, *, paused: bool) -> Pause:
        """Take the caller's hospital out of every new cohort, at once, or back in."""
        key = studies.pause_key(ledger.creator.organisation)
        standing = ledger.find(key, Pause)
        if standing is not None and standing.paused == paused:
            return standing
        pause = Pause(hospital=ledger.creator.organisation, paused=paused, since=ledger.now)
        ledger.put(key, pause)
        return pause

    @query
    def get(self, ledger: Ledger, *, study: Uuid) -> StudyView | None:
        """The study, its head and approvals, or null."""
        standing = ledger.find(studies.key(study), Study)
        if standing is None:
            return None
        approvals = tuple(approval for _, approval in ledger.scan(f"studies/approval/{study}/", Approval))
        return StudyView(study=standing, head=ledger.find(studies.head_key(study), Head), approvals=approvals)


def is_over(ledger: Ledger, study: Study) -> bool:
    """Whether the access that the study rests on has ended. One whose training is done needs its data sets no more."""
    asked = access.require_request(ledger, study.plan.request)
    if ledger.now >= periods.days(asked.until, asked.until).end:
        return True
    trains = study.status != "trained"
    return trains and not all(entitlement_of(ledger, study.plan, source) for source in study.plan.datasets)
