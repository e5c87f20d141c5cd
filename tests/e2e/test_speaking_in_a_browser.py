"""A guardian speaks for a child, who is asked, comes of age and decides alone: in a browser, on a real ledger."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from portal.accounts.services import set_password
from portal.demo.ages import AGES
from portal.patients import lapses, services, texts
from portal.patients.models import Mandate
from tests.e2e import walks
from tests.functional.patients.test_speaking import admitted, time_passes, years_ago
from tests.support.understanding import understood

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def agree(page, button):
    """Answer the quiz rightly, choose the first of everything, and agree."""
    right = understood(texts.current())
    for name, value in right.items():
        if name != "read":
            page.locator(f"input[name={name}][value='{value}']").check()
    for name in ("preset", "until"):
        if page.locator(f"input[name={name}]").count():
            page.locator(f"input[name={name}]").first.check()
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name=button).click()


def test_a_guardian_a_child_and_coming_of_age(desks, live_server, program, monkeypatch, tmp_path):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread, Django beside it
    desks.at("steward")
    desks.settings.NODE = replace(desks.settings.NODE, ages=AGES["hungary"])
    desks.settings.ALLOWED_HOSTS = ["localhost"]
    patient, newcomer = services.enrol([["row-5"], ["row-6"]])
    own_password = services.open_account(patient=patient, username="bea")
    paper = tmp_path / "scan.pdf"
    paper.write_bytes(b"a birth certificate")
    base = live_server.url
    with walks.browser(program("chromium")) as page:
        walks.sign_in(page, base, "steward", set_password(user=desks.person("steward")))
        page.goto(f"{base}/mandates/age/")
        page.get_by_label("Patient number").fill(str(patient.pk))
        page.get_by_label("Date of birth").fill(years_ago(15).isoformat())
        page.get_by_label("The document that you have seen").set_input_files(paper)
        page.get_by_role("button", name="Keep it").click()
        page.get_by_role("link", name="Appoint somebody").click()
        walks.check(page)
        page.get_by_label("Patient number").fill(str(patient.pk))
        page.get_by_label("Their sign-in name").fill("mother")
        page.get_by_label("What they call the patient").fill("Bea")
        page.get_by_label("The document that you have seen").set_input_files(paper)
        page.get_by_role("button", name="Appoint", exact=True).click()
        password = page.locator(".withdrawal-code").inner_text()
        page.goto(f"{base}/mandates/")
        walks.check(page)
        page.get_by_role("link", name=re.compile("End it")).click()
        page.get_by_role("heading", name="End this mandate now?").wait_for()
        walks.check(page)
        page.get_by_role("link", name="No, go back").click()
        walks.look_around(page, base, ["/patients/", "/patients/again/", f"/patients/{newcomer.pk}/account/"])
        walks.sign_out(page)

        walks.sign_in(page, base, "mother", password)
        page.goto(f"{base}/acting/")
        walks.check(page)
        page.get_by_role("link", name=re.compile("Look at it")).click()
        page.get_by_role("link", name="Say yes").click()
        walks.check(page)
        agree(page, "Go on")
        page.get_by_role("heading", name="Check what you say for Bea").wait_for()
        walks.check(page)
        page.get_by_role("button", name="Yes, I agree for Bea").click()
        page.get_by_role("heading", name="What you said").wait_for()
        desks.follow()
        page.reload()
        walks.check(page)
        assert "old enough to be asked" in page.inner_text("main")
        assert admitted(patient) == []
        walks.sign_out(page)

        month = services.this_month()
        services.give(
            patient=patient, preset="heart-disease", valid_from=month, valid_until=f"{int(month[:4]) + 1}{month[4:]}"
        )
        desks.follow()
        assert admitted(patient) == [Mandate.objects.get().grants.get().commitment]

        time_passes(patient)
        assert lapses.notice(datetime.now(UTC) + timedelta(seconds=1)) == 2
        assert admitted(patient) == []
        walks.sign_in(page, base, "mother", password)
        page.goto(f"{base}/acting/{Mandate.objects.get().pk}/")
        walks.check(page)
        assert "has ended" in page.inner_text("main") and page.get_by_role("link", name="Say yes").count() == 0
        walks.sign_out(page)

        walks.sign_in(page, base, "bea", own_password)
        page.goto(f"{base}/consent/")
        walks.check(page)
        assert "asked again" in page.inner_text("main")
        page.get_by_role("link", name="Read about saying yes").click()
        agree(page, "Go on")
        page.get_by_label("Only to learn about heart disease", exact=True).wait_for()
