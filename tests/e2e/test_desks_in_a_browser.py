"""Researcher, steward and auditor walk from the catalogue to an approved study in a browser, on a real ledger."""

from __future__ import annotations

import pytest

from portal.accounts.services import set_password
from portal.reactor import selectors as mirror
from tests.e2e import walks
from tests.support.desks import HOSPITAL

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_from_the_catalogue_to_an_approved_study(desks, live_server, program, monkeypatch):
    slug = desks.dataset()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread, Django beside it
    with walks.browser(program("chromium")) as page:

        def turn(role):
            desks.at(role)
            desks.settings.ALLOWED_HOSTS = ["localhost"]
            desks.follow()
            page.context.clear_cookies()
            walks.sign_in(page, live_server.url, role, set_password(user=desks.person(role)))

        turn("researcher")
        walks.look_around(page, live_server.url, [*walks.RESEARCHER, f"/catalogue/{HOSPITAL}/{slug}/1/"])
        asked = walks.ask_for_access(page, live_server.url, "Find out who needs an angiography.")
        turn("steward")
        walks.look_around(page, live_server.url, walks.STEWARD)
        case = next(one for one in mirror.records(f"access/request/{asked}"))["datasets"]
        assert {"dataset": f"{HOSPITAL}/{slug}", "version": 1} in case
        walks.permit(page, live_server.url, asked, "Approved by our committee.")
        turn("researcher")
        study = walks.plan(page, live_server.url, asked, title="Who needs an angiography?", epsilon="2", rounds=2)
        turn("steward")
        walks.approve(page, live_server.url, study)
        turn("auditor")
        walks.look_around(page, live_server.url, walks.AUDITOR)
    desks.at("steward")
    desks.follow()
    assert mirror.record(f"studies/study/{study}")["status"] == "approved"
