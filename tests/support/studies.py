"""Studies for functional tests: planned, approved and run through pages and contracts, as people and sites would."""

from __future__ import annotations

import hashlib
import uuid

from portal.reactor import selectors as mirror
from portal.studies import plans
from tests.support.desks import HOSPITAL, INSTITUTE

SMALL = {"epsilon": "0.5", "rounds": "2", "spare_attempts": "1", "metric_sigma": "60"}


def values(**changed):
    """A plan's form as the browser would send it back."""
    return {**{name: str(value) for name, value in plans.defaults().items()}, **SMALL, "quorum": "1", **changed}


def proposed(desks, slug, **changed):
    """A proposed study; returns its id."""
    asked = desks.permitted(slug)
    study = str(uuid.uuid4())
    answers = values(study=study, title="Who needs an angiography?", datasets=[f"{HOSPITAL}/{slug}@1"], **changed)
    page = desks.send("researcher", f"/studies/new/{asked}/", answers, status=200).content.decode()
    assert "What it costs" in page and mirror.record(f"studies/study/{study}") is None
    desks.send("researcher", f"/studies/new/{asked}/", {**answers, "confirm": "yes"})
    return study


def approved(desks, slug):
    study = proposed(desks, slug)
    desks.send("steward", f"/studies/{study}/approve/")
    return study


def run_round(desks, study, number, kind="training"):
    """One attempt, as the runner and the site would: returns nothing; every step is the contracts' own."""
    place = {"study": study, "round": number, "attempt": 1}
    plan = mirror.record(f"studies/study/{study}")["plan"]
    source = plan["datasets"][0]
    root = hashlib.sha256(f"{study}{number}".encode()).hexdigest()
    cohort = {"dataset": source["dataset"], "version": 1, "root": root, "bucket": "100-199", "declined": False}
    desks.ledger.submit("runner", "studies:Open", {**place, "kind": kind}, INSTITUTE)
    desks.ledger.submit("site", "studies:Commit", {**place, **cohort})
    desks.ledger.submit("runner", "studies:Fix", place, INSTITUTE)
    if kind == "training":
        desks.ledger.submit("site", "studies:Update", {**place, "update": root})
        desks.ledger.submit("runner", "studies:Close", {**place, "model": root}, INSTITUTE)
    else:
        desks.ledger.submit("site", "studies:Measure", {**place, "correct": 78, "total": 101})
        desks.ledger.submit("runner", "studies:Close", {**place, "model": None}, INSTITUTE)
