"""Each hospital votes once on exactly what it was shown; only a majority carries it out."""

from __future__ import annotations

import uuid

import pytest

from portal.reactor import selectors as mirror
from tests.support.desks import HOSPITAL

pytestmark = pytest.mark.django_db


def proposed(desks):
    proposal = str(uuid.uuid4())
    values = {"proposal": proposal, "kind": "declare-disjoint", "hospitals": [HOSPITAL, "HungaryMSP"], "days": "7"}
    desks.send("steward", "/governance/propose/", values)
    return proposal


def test_a_proposal_is_voted_on_and_carried_out(desks):
    proposal = proposed(desks)
    desks.send("steward", f"/governance/{proposal}/vote/", {"choice": "yes"})
    answer = desks.send("steward", f"/governance/{proposal}/execute/", status=422)
    assert "governance.no-majority" in answer.content.decode()
    digest = mirror.record(f"governance/proposal/{proposal}")["digest"]
    for msp in ("HungaryMSP", "LongBeachMSP"):
        vote = {"proposal": proposal, "digest": digest, "choice": "yes"}
        desks.ledger.submit("steward", "governance:Vote", vote, msp)
    assert "Carry it out" in desks.page("steward", f"/governance/{proposal}/")
    desks.send("steward", f"/governance/{proposal}/execute/")
    assert mirror.record("budget/disjoint")["hospitals"] == [HOSPITAL, "HungaryMSP"]
    desks.page("steward", f"/governance/{proposal}/vote/", status=404)


def test_a_vote_cannot_be_changed(desks):
    proposal = proposed(desks)
    desks.send("steward", f"/governance/{proposal}/vote/", {"choice": "no"})
    answer = desks.send("steward", f"/governance/{proposal}/vote/", {"choice": "yes"}, status=422)
    assert "governance.known-differently" in answer.content.decode()


def test_one_hospital_alone_is_not_disjoint(desks):
    values = {"kind": "declare-disjoint", "hospitals": [HOSPITAL], "days": "7"}
    answer = desks.send("steward", "/governance/propose/", values, status=422)
    assert "at least two hospitals" in answer.content.decode()


def test_only_stewards_come_here(desks):
    for role in ("patient", "researcher", "auditor"):
        desks.page(role, "/governance/", status=404)


def test_where_an_organisation_sits_is_proposed_and_nothing_else_of_it_changes(desks):
    proposal = str(uuid.uuid4())
    asked = {"proposal": proposal, "kind": "set-organisation", "organisation": "HungaryMSP", "days": "7"}
    for missing in ({}, {"country": "HU"}, {"sector": "public"}):
        answer = desks.send("steward", "/governance/propose/", asked | missing, status=422)
        assert "say its country and what kind it is" in answer.content.decode()
    before = mirror.record("members/org/HungaryMSP")
    unknown = desks.send("steward", "/governance/propose/", asked | {"country": "UK", "sector": "public"}, status=422)
    assert "members.country" in unknown.content.decode()
    desks.send("steward", "/governance/propose/", asked | {"country": "hu", "sector": "commercial"})
    action = mirror.record(f"governance/proposal/{proposal}")["action"]
    assert action["organisation"] == before | {"country": "HU", "sector": "commercial"}
    assert "country HU, commercial" in desks.page("steward", f"/governance/{proposal}/")


def test_where_nothing_is_owed_nothing_is_offered_to_go_without(desks, monkeypatch):
    monkeypatch.setattr("portal.governance.selectors.owed", list)
    page = desks.page("steward", "/governance/propose/")
    assert "waive-return" not in page and "need not come back" not in page
    asked = {"proposal": str(uuid.uuid4()), "kind": "waive-return", "days": "7"}
    answer = desks.send("steward", "/governance/propose/", asked, status=422)
    assert "“Proposal”: choose one of the answers" in answer.content.decode()
