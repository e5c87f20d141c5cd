"""An auditor takes the whole ledger away and needs to believe nothing."""

from __future__ import annotations

import pytest

from ledger.contracts import host
from ledger.verify import verify
from portal.audit import services, words
from portal.reactor import selectors as mirror

pytestmark = pytest.mark.django_db


def test_the_download_verifies_against_the_pages_genesis_and_head(desks, tmp_path):
    desks.at("auditor")
    chain = services.chain()
    answer = desks.at("auditor").get("/audit/export/")
    file = tmp_path / "ledger.blocks"
    file.write_bytes(b"".join(answer.streaming_content))
    report = verify(file, chain.genesis, [(chain.height, chain.head)], workers=1).report
    assert report.height >= chain.height and chain.genesis == desks.ledger.genesis


def test_the_chain_and_how_to_verify_it_are_shown(desks):
    chain = desks.at("auditor") and services.chain()
    page = desks.page("auditor", "/audit/")
    newest = mirror.events().first()
    assert chain.genesis in page and newest.tx_id in page and words.EVENTS[newest.name] in page
    assert f"--genesis {chain.genesis}" in desks.page("auditor", "/audit/verify/")


def test_every_event_that_a_contract_announces_is_told_in_words():
    announced = {function.terms.event for function in host.FUNCTIONS.values()} - {None}
    assert words.EVENTS.keys() == announced


def test_denied_access_is_listed_without_its_reason(desks):
    slug = desks.dataset()
    asked = desks.request(slug)
    desks.send("steward", f"/access/{asked}/{slug}/1/decide/", {"verdict": "deny", "reason": "Secret reason."})
    page = desks.page("auditor", "/audit/refused/")
    assert slug in page and "denied" in page and "Secret reason." not in page


def test_only_auditors_come_here(desks):
    for role in ("steward", "patient", "researcher"):
        for path in ("", "refused/", "verify/", "export/"):
            desks.page(role, f"/audit/{path}", status=404)
