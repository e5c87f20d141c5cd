"""What waits for a hospital: every act that is due there, each with the page on which it is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from portal.access import selectors as requests
from portal.governance import selectors as governance
from portal.patients import selectors as patients
from portal.reactor import selectors as mirror
from portal.studies import access as study_access
from portal.studies import selectors as studies

OF_STUDIES = ("studies/approval/", "studies/head/", "studies/return/")


@dataclass(frozen=True, slots=True)
class Task:
    """One act that is due. `about` tells it from others of its kind; `address` is the page on which it is done."""

    title: str
    about: str
    address: str


@dataclass(frozen=True, slots=True)
class Kind:
    """Tasks of one kind, never none."""

    title: str
    tasks: tuple[Task, ...]


def waiting(msp: str) -> list[Kind]:
    """What waits for hospital `msp`, kind by kind: what holds up patients first, then others, then nobody."""
    with mirror.loaded("members/org/", "access/request/", "catalogue/dataset/", studies.STUDIES, *OF_STUDIES):
        proposals = [one for one in governance.proposals() if one["open"]]
        found = (
            ("Withdrawals that the ledger refused", withdrawals()),
            ("Requests to decide", decisions(msp)),
            ("Study plans to approve", approvals(msp)),
            ("Proposals to vote on", votes(msp, proposals)),
            ("Proposals to carry out", executions(msp, proposals)),
            ("Results that a study owes you", returns(msp)),
            ("Privacy budget to take back", settlements(msp)),
        )
        return [Kind(title, tasks) for title, made in found if (tasks := tuple(made))]


def withdrawals() -> Iterator[Task]:
    if refused := len(patients.refused_withdrawals()):
        title = "One withdrawal" if refused == 1 else f"{refused} withdrawals"
        yield Task(title, "find the cause and send again", reverse("patients:refused-withdrawals"))


def decisions(msp: str) -> Iterator[Task]:
    """Requests for this hospital's data sets that can still be decided."""
    for case in requests.cases_of(msp):
        if case.status == "waiting" and not case.is_past:
            dataset = case.dataset
            place = {"pk": case.request["request"], "slug": dataset["slug"], "version": dataset["version"]}
            about = f"{case.requester_title}, {dataset['title']} version {dataset['version']}, until {case.until}"
            yield Task(case.request["purpose_words"], about, reverse("access:case", kwargs=place))


def approvals(msp: str) -> Iterator[Task]:
    for study in studies.studies(msp):
        if study_access.waits_for(study, msp):
            address = reverse("studies:study", kwargs={"pk": study["study"]})
            yield Task(study["title"], study["sponsor_title"], address)


def votes(msp: str, proposals: list[dict[str, Any]]) -> Iterator[Task]:
    for proposal in proposals:
        if any(voter == msp and choice is None for voter, _, choice in proposal["votes"]):
            yield proposal_task(proposal, f"until {proposal['deadline_at']:%Y-%m-%d %H:%M} UTC")


def executions(msp: str, proposals: list[dict[str, Any]]) -> Iterator[Task]:
    """Proposals of this hospital that a majority has carried: any hospital could, its proposer should."""
    for proposal in proposals:
        if proposal["carried"] and proposal["proposer"] == msp:
            yield proposal_task(proposal, f"{proposal['yes']} of {len(proposal['votes'])} hospitals say yes")


def proposal_task(proposal: dict[str, Any], about: str) -> Task:
    return Task(proposal["words"], about, reverse("governance:proposal", kwargs={"pk": proposal["proposal"]}))


def returns(msp: str) -> Iterator[Task]:
    """Ended studies whose results have to come back to this hospital, until it says that they have."""
    for study in studies.studies(msp):
        if study_access.owes(study, msp):
            address = reverse("studies:receive", kwargs={"pk": study["study"]})
            yield Task(study["title"], f"{study['sponsor_title']}, {study['status_words']}", address)


def settlements(msp: str) -> Iterator[Task]:
    """Ended studies that still hold budget of this hospital."""
    for one in studies.reservations(msp):
        if one["ended"] and one["record"]["status"] == "held":
            study = one["study"]
            address = reverse("studies:settle", kwargs={"pk": study["study"]})
            yield Task(study["title"], study["status_words"], address)
