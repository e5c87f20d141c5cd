"""Studies, their results and what left a hospital, all from the reactor's mirror of the ledger."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from consent import duo
from portal.access import expiry
from portal.catalogue.selectors import organisation_title, purpose_words
from portal.grid.folders import public_weights_folder
from portal.grid.ledgers import Mirror
from portal.grid.models import State, StudyRun
from portal.reactor import selectors as mirror
from portal.studies import cost
from portal.studies.progress import by_place, latest
from training.errors import ModelRefused
from training.federation.studies import Studies
from training.site import starting

STUDIES = "studies/study/"
STATUS_WORDS = {
    "approved": "by every hospital: the institute can start it",
    "running": "running",
    "trained": "trained, not released yet",
    "released": "released",
    "stopped": "stopped",
}
ACCESS_ENDED = "stopped: the permission to use one of its data sets has ended"


@dataclass(frozen=True, slots=True)
class SiteResult:
    """One hospital's entry: noised accuracy, or why there is none."""

    msp: str
    title: str
    accuracy: float | None
    total: int | None
    reason: str

    @property
    def percent(self) -> str | None:
        return None if self.accuracy is None else f"{100 * self.accuracy:.1f}"


@dataclass(frozen=True, slots=True)
class Results:
    """Accuracy on held-out patients, or images. `noise`: standard deviation of the noise on each count of them."""

    sites: tuple[SiteResult, ...]
    mean: float | None
    noise: float

    @property
    def mean_percent(self) -> str:
        return f"{100 * (self.mean or 0):.1f}"


def studies(msp: str | None = None) -> list[dict[str, Any]]:
    """All studies, newest first, or those with a data set of hospital `msp`."""
    with mirror.loaded("members/org/", "access/request/", "studies/approval/"):
        found = [described(row.body) for row in mirror.standing(STUDIES).order_by("-block", "key")]
    return [one for one in found if msp is None or msp in one["sites"]]


def listed(msp: str | None = None) -> list[dict[str, Any]]:
    """The same as `studies`, and of those that run how far they are."""
    with mirror.loaded("studies/round/"):
        return [one | {"status_words": so_far(one)} if one["status"] == "running" else one for one in studies(msp)]


def so_far(study: dict[str, Any]) -> str:
    rounds = mirror.records(f"studies/round/{study['study']}/")
    closed = sum(one["kind"] == "training" and one["status"] == "closed" for one in rounds)
    return f"{closed} of {study['plan']['rounds']} training rounds closed"


def study(pk: UUID | str) -> dict[str, Any] | None:
    found = mirror.record(f"{STUDIES}{pk}")
    return None if found is None else described(found)


def described(body: dict[str, Any]) -> dict[str, Any]:
    """The study with its purpose, status and approvals in words."""
    plan = body["plan"]
    request = mirror.record(f"access/request/{plan['request']}")
    places = cost.sites(plan)
    approved = {key.rsplit("/", 1)[1] for key, _ in mirror.items(f"studies/approval/{body['study']}/")}
    approvals = [(msp, organisation_title(msp), msp in approved) for msp in places]
    return {
        **body,
        "title": plan["title"],
        "sites": places,
        "purpose_words": purpose_words(request["purpose"]) if request else "",
        "status_words": status_words(body, [title for _, title, done in approvals if not done]),
        "sponsor_title": organisation_title(body["sponsor"]),
        "approvals": approvals,
        "startable": body["status"] in ("approved", "running", "trained"),
    }


def status_words(body: dict[str, Any], missing: list[str]) -> str:
    """How the study stands; of a plan that waits for approvals, the names of the hospitals that it waits for."""
    if body["reason"] == expiry.REASON:
        return ACCESS_ENDED
    if body["status"] == "proposed":
        return f"waiting for the approval of {', '.join(missing)}"
    return STATUS_WORDS.get(body["status"], body["status"])


@dataclass(frozen=True, slots=True)
class PublicStart:
    """This node's copy of the public weights that a study starts from; `refusal`: why a site with it cannot begin."""

    refusal: ModelRefused | None


def public_start(pk: UUID | str) -> PublicStart:
    """Looks at this hospital's own copy as its site does before each cohort (training.site.starting)."""
    studies = Studies(Mirror())
    try:
        starting.check(studies.lineage(studies.study(str(pk)))[-1].plan, public_weights_folder())
    except ModelRefused as refusal:
        return PublicStart(refusal)
    return PublicStart(None)


def results(study: dict[str, Any]) -> Results | None:
    """The released accuracy, once the evaluation round has closed; None before."""
    closed = [
        body
        for body in mirror.records(f"studies/round/{study['study']}/")
        if body["kind"] == "evaluation" and body["status"] == "closed"
    ]
    if not closed:
        return None
    number = closed[-1]["round"], closed[-1]["attempt"]
    measures, cohorts = (by_place(what, study["study"]) for what in ("measurement", "cohort"))
    results = {msp: latest(measures, number, msp) for msp in study["sites"]}
    sites = tuple(site_result(msp, result, cohorts.get((*number, msp))) for msp, result in results.items())
    shown = [site.accuracy for site in sites if site.accuracy is not None]
    noise = float(study["plan"]["metrics"]["sigma"]) * math.sqrt(2)
    return Results(sites, sum(shown) / len(shown) if shown else None, noise)


def site_result(msp: str, measure: dict[str, Any] | None, cohort: dict[str, Any] | None) -> SiteResult:
    title = organisation_title(msp)
    if measure is not None and measure["total"] > 0:
        accuracy = min(1.0, max(0.0, measure["correct"] / measure["total"]))
        return SiteResult(msp, title, accuracy, measure["total"], "")
    if measure is not None:
        return SiteResult(msp, title, None, None, "the noise left no positive number")
    if cohort is not None and cohort["declined"]:
        reason = "it declined: fewer held out with consent than a cohort needs, or paused; hospitals give no reason"
    else:
        reason = "it did not answer in time"
    return SiteResult(msp, title, None, None, reason)


def owed(study: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """The hospitals that an ended study owes results to, with their names, and whether these have come back.

    As `ledger.contracts.closings` counts them; nothing before the study has ended.
    """
    if study["status"] not in ("released", "stopped"):
        return []
    head, name = mirror.record(f"studies/head/{study['study']}"), study["study"]
    request = mirror.record(f"access/request/{study['plan']['request']}") or {"purpose": {}}
    promised = duo.RTN in (request["purpose"].get("asking") or {}).get("accepts", ())
    wanting = {msp for msp in study["sites"] if promised or wants_back(study, msp)}
    took_part = [] if head is None else head["participants"]
    said = {key.rsplit("/", 1)[1]: body["results"] for key, body in mirror.items(f"studies/return/{name}/")}
    waived = {msp for msp, results in said.items() if results is None}  # by a vote
    return [(msp, organisation_title(msp), msp in said) for msp in took_part if msp in wanting - waived]


def wants_back(study: dict[str, Any], msp: str) -> bool:
    """Whether the terms of the data set of `msp` want results back (DUO RTN)."""
    source = next(one for one in study["plan"]["datasets"] if one["dataset"].partition("/")[0] == msp)
    written = mirror.record(f"catalogue/dataset/{source['dataset']}/{source['version']}")
    return written is not None and duo.RTN in written["duo"]


def closed_out(study: dict[str, Any]) -> bool:
    return mirror.record(f"studies/closeout/{study['study']}") is not None


def reservations(msp: str) -> list[dict[str, Any]]:
    """The studies that hospital `msp` has reserved budget for, and whether the rest can be given back."""
    found = []
    with mirror.loaded(STUDIES, "members/org/", "access/request/", "studies/approval/"):
        for key, body in mirror.items(f"budget/reservation/{msp}/"):
            held = study(key.rsplit("/", 1)[1])
            if held is not None:
                found.append({"study": held, "record": body, "ended": held["status"] in ("released", "stopped")})
    return found


def paused(msp: str) -> bool:
    """Whether hospital `msp` has paused itself."""
    found = mirror.record(f"studies/pause/{msp}")
    return found is not None and found["paused"]


def begins(study: dict[str, Any], run: Any | None) -> bool:
    """Whether the hub's worker has been asked to run the study and has not come to its first round."""
    asked = run is not None and run.state in (State.QUEUED, State.RUNNING) and not run.reason
    return asked and study["status"] == "approved"


def run(study: dict[str, Any]) -> Any | None:
    """How the hub's worker stands with the study: its row at the hub, None elsewhere and before it was asked for."""
    if settings.NODE.role != "hub":
        return None
    return StudyRun.objects.filter(study=study["study"]).first()
