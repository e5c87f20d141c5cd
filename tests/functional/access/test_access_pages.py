"""A researcher asks, a steward decides with a reason, both see what the ledger holds and nothing more."""

from __future__ import annotations

import datetime
import uuid

import msgspec
import pytest

from portal.access.models import Check, Reason
from portal.reactor import selectors as mirror
from tests.support.desks import HEART, HOSPITAL, INSTITUTE

pytestmark = pytest.mark.django_db


def test_a_request_is_decided_with_a_reason_that_stays_at_the_hospital(desks):
    slug = desks.dataset()
    asked = desks.request(slug)
    page = desks.page("steward", f"/access/{asked}/{slug}/1/")
    assert "research into heart disease, and for nothing else" in page and "fits" in page
    desks.send("steward", f"/access/{asked}/{slug}/1/decide/", {"verdict": "permit", "reason": "Our reason."})
    entitlement = mirror.record(f"access/entitlement/{asked}/{HOSPITAL}/{slug}/1")
    assert (entitlement["status"], Reason.objects.get().digest) == ("live", entitlement["reason"])
    assert "Our reason." in desks.page("steward", f"/access/{asked}/{slug}/1/")
    page = desks.page("researcher", f"/access/{asked}/")
    assert "permitted" in page and "Our reason." not in page and "Plan a study" in page


def test_what_the_data_sets_own_terms_deny_the_ledger_refuses_to_permit(desks):
    slug = desks.dataset(modifiers=["DUO:0000046"])  # non-commercial use only
    asked = desks.request(slug, how=["commercial"])
    path = f"/access/{asked}/{slug}/1/decide/"
    assert "does not fit" in desks.page("steward", path)
    answer = desks.send("steward", path, {"verdict": "permit", "reason": "Anyway."}, status=422)
    assert "access.duo-denied" in answer.content.decode()
    assert not Reason.objects.exists() and not mirror.records(f"access/entitlement/{asked}/")


def test_a_revoked_entitlement_is_shown_as_revoked(desks):
    slug = desks.dataset()
    asked = desks.permitted(slug)
    desks.send("steward", f"/access/{asked}/{slug}/1/revoke/")
    assert "revoked" in desks.page("researcher", f"/access/{asked}/")
    desks.page("steward", f"/access/{asked}/{slug}/1/revoke/", status=404)


def test_a_form_sent_twice_asks_once(desks):
    slug = desks.dataset()
    asked = desks.request(slug)
    values = {"request": asked, "datasets": [f"{HOSPITAL}/{slug}@1"], "permission": "DUO:0000007", "diseases": [HEART]}
    other = {**values, "until": "2026-12-31", "protocol": "Another one."}
    answer = desks.send("researcher", "/access/new/", other, status=422)
    assert "access.known-differently" in answer.content.decode()


def test_the_protocol_is_read_by_whoever_has_its_digest_and_nobody_else(desks):
    asked = desks.request(desks.dataset())
    digest = mirror.record(f"access/request/{asked}")["protocol"]
    assert desks.page("researcher", f"/access/protocol/{digest}/") == "Find out who needs an angiography."
    desks.page("researcher", f"/access/protocol/{'0' * 64}/", status=404)


def test_nobody_decides_who_is_no_steward_and_nothing_unknown_is_told_apart(desks):
    slug = desks.dataset()
    asked = desks.request(slug)
    desks.page("researcher", f"/access/{asked}/{slug}/1/decide/", status=404)
    desks.page("patient", f"/access/{asked}/{slug}/1/", status=404)
    desks.page("steward", f"/access/{uuid.uuid4()}/{slug}/1/decide/", status=404)
    desks.page("steward", "/access/new/", status=404)


def test_what_a_data_set_asks_for_and_the_request_says_is_checked_and_its_obligations_are_named(desks):
    slug = desks.dataset(modifiers=["DUO:0000019", "DUO:0000022"], value_GS="US, DE")
    unsaid = desks.request(slug)
    page = desks.page("steward", f"/access/{unsaid}/{slug}/1/")
    assert "a person decides" in page and "geographical restriction (DUO:0000022): DE, US" in page
    said = desks.request(slug, countries="US", accepts=["DUO:0000019"])
    page = desks.page("steward", f"/access/{said}/{slug}/1/")
    assert "fits" in page and "What a permit obliges to" in page and "publication required (DUO:0000019)" in page
    assert "It says it works in: US." in page and "Accepted: publication required (DUO:0000019)." in page
    elsewhere = desks.request(slug, countries="US, FR", accepts=["DUO:0000019"])
    answer = desks.send("steward", f"/access/{elsewhere}/{slug}/1/decide/", {"verdict": "permit", "reason": "!"}, 422)
    assert "access.duo-denied" in answer.content.decode()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"countries": "Germany"}, "is no country"),
        ({"project": "two words"}, "names nobody"),
        ({"ethics_until": "2027-01-01"}, "Give both"),
        ({"ethics_document": "soon", "ethics_until": "2027-01-01"}, "sha256sum"),
    ],
)
def test_a_request_that_says_odd_things_is_refused_beside_the_field(desks, values, message):
    slug = desks.dataset()
    until = str(datetime.date.today() + datetime.timedelta(days=90))
    wanted = {"datasets": [f"{HOSPITAL}/{slug}@1"], "permission": "DUO:0000006", "until": until, "protocol": "P."}
    assert message in desks.send("researcher", "/access/new/", {**wanted, **values}, status=422).content.decode()


def test_a_ruling_is_kept_and_made_again_when_what_it_rests_on_changes(desks, monkeypatch):
    slug = desks.dataset(permission="DUO:0000007", diseases=[HEART])
    asked = desks.request(slug, permission="DUO:0000042", diseases=[])
    assert "does not fit" in desks.page("steward", f"/access/{asked}/{slug}/1/")
    first = Check.objects.get().made
    desks.page("steward", f"/access/{asked}/{slug}/1/")
    assert Check.objects.get().made == first
    chosen = msgspec.structs.replace(desks.nodes["hospital"], matching="compatible")
    monkeypatch.setitem(desks.nodes, "hospital", chosen)  # the committee reads its terms as large portals do
    page = desks.page("steward", f"/access/{asked}/{slug}/1/")
    assert "fits" in page and "The answer was another one before: deny" in page
    assert Check.objects.get().made > first
    desks.send("steward", f"/access/{asked}/{slug}/1/decide/", {"verdict": "permit", "reason": "As elsewhere."})
    entitlement = mirror.record(f"access/entitlement/{asked}/{HOSPITAL}/{slug}/1")
    assert (entitlement["status"], entitlement["matching"]) == ("live", "compatible")


def test_the_page_on_which_a_steward_decides_names_what_rests_on_the_askers_word(desks):
    slug = desks.dataset(modifiers=["DUO:0000026", "DUO:0000027"], value_US="orcid:1", value_PS="hearts")
    digest = "ab" * 32
    named = {"users": "orcid:1", "project": "hearts", "ethics_document": digest, "ethics_until": "2099-01-01"}
    asked = desks.request(slug, **named, accepts=["DUO:0000029"])
    for page in (f"/access/{asked}/{slug}/1/", f"/access/{asked}/{slug}/1/decide/"):
        shown = desks.page("steward", page)
        for said in ("On the asker", "That none of it is for gain. Most", "That these alone will use it: orcid:1."):
            assert said in shown
        assert "That it belongs to the project hearts." in shown and digest in shown and "has accepted" in shown


def test_where_who_asks_sits_is_the_members_word_and_the_page_says_so(desks):
    slug = desks.dataset(modifiers=["DUO:0000022", "DUO:0000045"], value_GS="US")
    asked = desks.request(slug)
    held = "sits in US and is public: so the members hold it, changed by vote alone."
    page = desks.page("steward", f"/access/{asked}/{slug}/1/")
    assert "fits" in page and f"{INSTITUTE} {held}" in page and f"{HOSPITAL} {held}" in page
    assert f"{INSTITUTE} {held}" in desks.page("researcher", f"/access/{asked}/")
    assert f"{INSTITUTE} {held}" in desks.page("researcher", "/access/new/")
    until = str(datetime.date.today() + datetime.timedelta(days=90))
    wanted = {"datasets": [f"{HOSPITAL}/{slug}@1"], "permission": "DUO:0000006", "until": until, "protocol": "P."}
    wanted["request"] = str(uuid.uuid4())
    for lie, code in (({"countries": "FR"}, "access.country"), ({"how": ["for_profit"]}, "access.sector")):
        assert code in desks.send("researcher", "/access/new/", {**wanted, **lie}, status=422).content.decode()
