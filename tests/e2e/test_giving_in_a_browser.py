"""A patient says yes in depth and is asked again under a newer text: in a browser, without a mouse."""

from __future__ import annotations

import re

import pytest

from portal.patients import services, texts
from portal.patients.models import Grant
from tests.e2e import walks
from tests.support.understanding import NEW, two_versions

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_from_the_first_yes_to_a_newer_text(desks, live_server, program, monkeypatch, tmp_path):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread, Django beside it
    first, second = two_versions(tmp_path)
    monkeypatch.setattr(texts, "WORDING", tmp_path)
    desks.at("steward")
    desks.settings.ALLOWED_HOSTS = ["localhost"]
    texts.publish(first)
    desks.follow()
    patient = services.enrol([("row-1",)])[0]
    password = services.open_account(patient=patient, username="ada")
    with walks.browser(program("chromium")) as page:

        def press(name: str, heading: str, kind: str = "button") -> None:
            page.get_by_role(kind, name=name).first.focus()
            page.keyboard.press("Enter")
            page.get_by_role("heading", level=1, name=re.compile(heading)).wait_for()
            walks.check(page)

        def choose(*labels: str) -> None:
            for label in labels:
                page.get_by_label(label).first.focus()
                page.keyboard.press("Space")

        def unfold() -> None:
            for subject in page.locator("summary").all():
                subject.focus()
                page.keyboard.press("Enter")
            walks.check(page)

        walks.sign_in(page, live_server.url, "ada", password)
        press("Read about saying yes", "Helping researchers", "link")
        press("Deutsch", "Der Forschung helfen", "link")
        press("English", "Helping researchers", "link")
        choose("It is sent to the researchers.", "You get the same care as before.", "Yes, from then on", "I have read")
        press("Go on", "Helping researchers")
        page.get_by_role("alert").get_by_text("Nobody sends your record anywhere").wait_for()
        choose("It stays in this hospital.")
        press("Go on", "What may your record be used for?")
        unfold()
        page.get_by_text("Research on heart disease, and on every kind of it.").wait_for()
        choose("Only to learn about heart disease")
        press("Go on", "For how long may it be used?")
        choose("1 year")
        press("Go on", "Check your answers")
        press("Say more exactly", "Say more exactly", "link")
        unfold()
        choose("Your genes", "I want to hear what was learned")
        press("Go on", "Check your answers")
        page.get_by_text("Yes, I want to hear what was learned.").wait_for()
        press("Yes, I agree", "recorded|recording")
        old = Grant.objects.get(patient=patient)
        assert "genomics" not in old.opened().limits.categories and old.opened().feedback

        texts.publish(second)
        desks.follow()
        page.goto(f"{live_server.url}/consent/")
        unfold()
        press("See what is new", "There is a newer text", "link")
        page.get_by_text(NEW).wait_for()
        page.get_by_text("counts for studies that had begun before").wait_for()
        press("Read the new text and choose", "Helping researchers", "link")
        page.get_by_text("New words.").wait_for()
        choose("It stays in this hospital.", "You get the same care as before.", "Yes, from then on", "I have read")
        press("Go on", "What may your record be used for?")
        press("Go on", "For how long may it be used?")
        choose("1 year")
        press("Go on", "Check your answers")
        press("Yes, I agree", "recorded|recording")
        new = Grant.objects.get(replaces=old)
        assert (new.text, new.opened().limits) == (second, old.opened().limits)
