"""What is due at a hospital stands on its steward's first page, leads to where it is done, and goes when it is done."""

from __future__ import annotations

import time
import uuid

import pytest
from django.utils import timezone

from portal.access import selectors as requests
from portal.patients.models import HandedIn
from portal.reactor import selectors as mirror
from tests.support.desks import HOSPITAL
from tests.support.studies import approved, proposed

pytestmark = pytest.mark.django_db
NOTHING = "Nothing waits for you."


def at(desks, address):
    """Whether the steward's first page leads to `address`."""
    return f'href="{address}"' in desks.page("steward", "/desk/")


def vote(desks, proposal, msp):
    digest = mirror.record(f"governance/proposal/{proposal}")["digest"]
    desks.ledger.submit("steward", "governance:Vote", {"proposal": proposal, "digest": digest, "choice": "yes"}, msp)


def test_it_is_the_page_a_steward_comes_to(desks):
    assert desks.at("steward").get("/")["location"] == "/desk/"
    for role in ("patient", "researcher", "auditor"):
        desks.page(role, "/desk/", status=404)


def test_a_request_waits_until_it_is_decided(desks):
    slug = desks.dataset()
    asked = desks.request(slug)
    address = f"/access/{asked}/{slug}/1/"
    assert at(desks, address)
    desks.send("steward", f"{address}decide/", {"verdict": "deny", "reason": "Not now."})
    assert not at(desks, address)


def test_a_request_whose_last_day_is_over_waits_for_nobody(desks, monkeypatch):
    slug = desks.dataset()
    asked = desks.request(slug)
    monkeypatch.setattr(requests, "today", lambda: "2999-01-01")
    assert not at(desks, f"/access/{asked}/{slug}/1/")


def test_a_plan_waits_until_it_is_approved_and_what_it_left_until_it_is_taken_back(desks):
    study = proposed(desks, desks.dataset())
    assert at(desks, f"/studies/{study}/")
    desks.send("steward", f"/studies/{study}/approve/")
    assert not at(desks, f"/studies/{study}/")
    desks.send("researcher", f"/studies/{study}/stop/", {"reason": "sponsor.concern"})
    assert at(desks, f"/studies/{study}/settle/")
    desks.send("steward", f"/studies/{study}/settle/")
    assert not at(desks, f"/studies/{study}/settle/")


def test_a_study_under_way_waits_for_nobody(desks):
    study = approved(desks, desks.dataset())
    assert study not in desks.page("steward", "/desk/")


def test_a_proposal_waits_for_the_vote_then_for_whoever_made_it(desks):
    proposal = str(uuid.uuid4())
    action = {"kind": "declare-disjoint", "hospitals": [HOSPITAL, "HungaryMSP"]}
    deadline = int(time.time()) + 3600
    desks.at("steward")
    desks.ledger.submit("steward", "governance:Propose", {"proposal": proposal, "action": action, "deadline": deadline})
    assert at(desks, f"/governance/{proposal}/")
    vote(desks, proposal, HOSPITAL)
    assert not at(desks, f"/governance/{proposal}/")
    for msp in ("HungaryMSP", "LongBeachMSP"):
        vote(desks, proposal, msp)
    assert "Proposals to carry out" in desks.page("steward", "/desk/")
    desks.send("steward", f"/governance/{proposal}/execute/")
    assert not at(desks, f"/governance/{proposal}/")


def test_a_refused_withdrawal_waits_and_names_nobody(desks):
    desks.at("steward")
    commitment = "ab" * 32
    HandedIn.objects.create(commitment=commitment, received=timezone.now(), code=b"c" * 16, refusal="consents.unknown")
    page = desks.page("steward", "/desk/")
    assert "One withdrawal" in page and 'href="/withdrawals/"' in page and commitment not in page


def test_where_nothing_is_due_it_says_so(desks):
    assert NOTHING in desks.at("steward").get("/desk/").content.decode()  # before anything of the ledger is read


def test_a_paused_hospital_is_told_so_first(desks):
    said = "is paused: it takes part in no round of any study"
    assert said not in desks.page("steward", "/desk/")
    desks.send("steward", "/studies/pause/")
    assert said in desks.page("steward", "/desk/") and at(desks, "/studies/pause/")
    desks.send("steward", "/studies/pause/")
    assert said not in desks.page("steward", "/desk/")
