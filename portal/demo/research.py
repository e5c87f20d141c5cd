"""What the demo has the research institute do at the hub: ask, request, plan, start. Each may be asked again."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from consent import duo
from consent.purpose import Purpose
from portal.access import selectors as requests
from portal.access import services as access
from portal.accounts.models import Role
from portal.catalogue import selectors as catalogue
from portal.catalogue import services as asking
from portal.demo.waiting import account, awaited
from portal.grid.models import StudyRun
from portal.reactor import selectors as mirror
from portal.studies import plans, services
from training.privacy.calibration import sigma_for

HEART_DISEASE = "MONDO:0005267"
PURPOSE = Purpose.of(duo.DS, [HEART_DISEASE], commercial=False, for_profit=False)
TITLE = "Predicting heart disease across four hospitals"
PROTOCOL = """Predict whether an angiography will find narrowed coronary arteries, from what is known before it.

Data: the UCI heart disease variables. Model: logistic regression, trained under differential privacy with the patient
as the unit. Nothing but noised updates and noised accuracy counts leaves a hospital.
"""
ENTITLED_DAYS = 365
DECIMALS = ("epsilon", "delta", "clip", "q", "learning_rate", "metric_sigma")


def open_doors() -> dict[str, str]:
    """The researcher's and the auditor's accounts: username -> a new password."""
    return {"researcher": account("researcher", Role.RESEARCHER), "auditor": account("auditor", Role.AUDITOR)}


def inquire(hospitals: int) -> None:
    """Ask each hospital once how many of its patients fit the purpose; the answers come by themselves."""
    for dataset in every_dataset(hospitals):
        asking.ask_for_count(dataset=dataset["dataset"], version=dataset["version"], purpose=PURPOSE)


def answers(hospitals: int) -> dict[str, int | None]:
    """What the hospitals answered: data set -> noised count, None below the threshold."""
    found = awaited(
        lambda: (all_of := mirror.records("budget/count/")) and len(all_of) >= hospitals and all_of, "the counts"
    )
    return {one["dataset"]: one["answer"] for one in found}


def request(request: str, hospitals: int) -> None:
    if requests.request(request):
        return
    access.ask_for_access(
        request=uuid.UUID(request),
        purpose=PURPOSE,
        datasets=[{"dataset": one["dataset"], "version": one["version"]} for one in every_dataset(hospitals)],
        until=datetime.now(UTC).date() + timedelta(days=ENTITLED_DAYS),
        protocol=PROTOCOL,
    )


def plan(*, study: str, request: str, hospitals: int, epsilon: str, rounds: int, seed: int) -> dict[str, Any]:
    """Propose the study; returns its privacy parameters."""
    awaited(lambda: len(mirror.records(f"access/entitlement/{request}/")) >= hospitals, "the decisions")
    if standing := mirror.record(f"studies/study/{study}"):
        return standing["plan"]["privacy"]
    offered = every_dataset(hospitals)
    answers = {**plans.defaults(), "title": TITLE, "epsilon": epsilon, "rounds": rounds, "seed": seed}
    answers |= {name: Decimal(str(answers[name])) for name in DECIMALS}
    answers["metric_sigma"] = max(answers["metric_sigma"], counts_noise(epsilon, answers["delta"]))
    answers["datasets"] = [f"{one['dataset']}@{one['version']}" for one in offered]
    services.propose(study=uuid.UUID(study), request=request, offered=offered, **answers)
    return awaited(lambda: mirror.record(f"studies/study/{study}"), "the plan")["plan"]["privacy"]


def counts_noise(epsilon: str, delta: Decimal) -> Decimal:
    """The least noise at which releasing the accuracy's counts costs at most half of `epsilon`."""
    return Decimal(sigma_for(str(Decimal(epsilon) / 2), str(delta), q=1, steps=1))


def approved(study: str, hospitals: int) -> None:
    """Return once the hub has seen every hospital's approval."""
    awaited(lambda: len(mirror.records(f"studies/approval/{study}/")) >= hospitals, "the approvals")


def start(study: str, hold_after: int | None = None) -> None:
    """Ask the hub's worker to run the study, or to go on with it; `hold_after`: no round beyond this one yet."""
    services.start(study={"study": study}, hold_after=hold_after)


def every_dataset(hospitals: int) -> list[dict[str, Any]]:
    return awaited(lambda: (found := catalogue.datasets()) and len(found) >= hospitals and found, "the data sets")


def run_state(study: str) -> dict[str, str]:
    """How the hub's run of the study stands: `state` (queued, running, finished, failed), and why it failed."""
    run = StudyRun.objects.get(study=study)
    return {"state": run.state, "reason": run.reason, "message": run.message}
