"""A patient leaves one study, allows less, and stops while the ledger is away: in a browser, on a real ledger.

Stopping in the midst of a study that runs, proven offline afterwards, is walked in the demo (test_personas).
"""

from __future__ import annotations

import re

import pytest

from portal.catalogue import manifests
from portal.patients import hearing, impact, leaving, sending, services
from portal.patients.models import Grant
from tests.e2e import walks
from tests.support.desks import HOSPITAL
from tests.support.studies import approved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_part_less_and_then_all_while_the_ledger_is_away(desks, live_server, program, monkeypatch):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread, Django beside it
    slug = desks.dataset()
    study = approved(desks, slug)
    desks.at("patient")
    desks.settings.ALLOWED_HOSTS = ["localhost"]
    patient = services.enrol([(manifests.split_of(f"{HOSPITAL}/{slug}", 1).training[0],)])[0]
    password = services.open_account(patient=patient, username="ada")
    services.give(patient=patient, preset="health-research", valid_from=services.this_month(), valid_until="2040-01")
    desks.follow()
    with walks.browser(program("chromium")) as page:

        def press(kind: str, name: str, heading: str) -> None:
            page.get_by_role(kind, name=name).first.focus()  # all of it without a mouse
            page.keyboard.press("Enter")
            page.get_by_role("heading", level=1, name=re.compile(heading)).wait_for()
            desks.follow()
            page.reload()
            walks.check(page)

        walks.sign_in(page, live_server.url, "ada", password)
        press("link", "Stop: withdraw my consent", "Stop using my record?")
        page.get_by_text("from round 1 of 2 on it is without your record").wait_for()
        page.get_by_text("There is nothing to undo.").wait_for()
        press("link", "Stop only “Who needs an angiography?”", "Stop using my record for")
        press("button", "Yes, stop this study", "Your yes is recorded|We are recording your yes")
        page.get_by_role("heading", name="Your yes is recorded").wait_for()
        assert impact.of_patient(patient).stops == ()

        press("link", "Allow less", "What may your record be used for?")
        page.get_by_label("Only to learn about heart disease").check()
        press_on(page, "Go on", "For how long may it be used?")
        press_on(page, "Go on", "Check your answers")
        press_on(page, "Yes, allow only this", "Your yes is recorded|We are recording your yes")
        desks.follow()
        newest = Grant.objects.get(patient=patient, replaced_by=None)
        assert (newest.preset, leaving.left(newest.opened().limits)) == ("heart-disease", {study})

        page.goto(f"{live_server.url}/consent/{newest.pk}/withdraw/")
        desks.ledger.stop()
        try:
            press_on(page, "Yes, stop now", "You have stopped this consent")
            page.get_by_text("We are now writing it into the shared book").wait_for()
            page.get_by_role("link", name="Keep the hospital's signed answer").wait_for()
            newest.refresh_from_db()
            assert newest.is_withdrawn and newest.withdrawn_block is None
        finally:
            desks.ledger.start()
        desks.ledger.await_ready()
        sending.send_withdrawals([newest])  # as the sweep does
        desks.follow()
        hearing.acknowledge()
        desks.follow()
        page.reload()
        page.get_by_text("It is written in the shared book").wait_for()
        assert page.get_by_role("row").filter(has_text="block").count() == 1
        page.goto(f"{live_server.url}/consent/")
        for state in ("There is no yes from you now.", "Stopped and recorded"):  # and the history stays
            page.get_by_text(state).first.wait_for()
        walks.check(page)


def press_on(page: walks.Page, button: str, heading: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()
    page.get_by_role("heading", level=1, name=re.compile(heading)).wait_for()
    walks.check(page)
