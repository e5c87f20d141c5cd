"""A patient, and a guardian, in a real browser with passkeys of their own and no mouse: every page is looked at."""

from __future__ import annotations

import json
import re

import pytest
from django.conf import settings
from msgspec.structs import replace

from consent.receipt import read_receipt
from portal import ledger as portal_ledger
from portal.accounts.services import set_password
from portal.patients import passkeys, services
from portal.patients.models import Grant, Passkey
from tests.e2e import walks
from tests.functional.patients.test_speaking import AGES, admitted, child, guardian
from tests.support.understanding import understood

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def understand(page: walks.Page) -> None:
    for name, value in understood().items():
        if name != "read":
            walks.choose(page, name, value)


def test_a_patient_and_a_guardian_with_the_keyboard_alone(address, catch_up, program, monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "NODE", replace(settings.NODE, ages=AGES))
    patient = services.enrol([("row-of-a-browser",)])[0]
    services.open_account(patient=patient, username="ada")
    patient.refresh_from_db()
    mandate = guardian(child(9), "mother")
    passwords = [set_password(user=account) for account in (patient.account, mandate.account)]
    catch_up()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread, Django beside it
    with walks.browser(program("chromium")) as page:
        walks.authenticator(page)
        walks.sign_in(page, address, "ada", passwords[0])
        receipt = gives_narrows_and_stops(page, address, catch_up, tmp_path)
        walks.sign_out(page)
        walks.sign_in(page, address, "mother", passwords[1])
        speaks(page, address, catch_up, mandate)
    catch_up()
    newest, first = Grant.objects.filter(patient=patient)
    assert (first.attestation, newest.attestation, newest.withdrawn_by) == ("passkey", "passkey", "patient")
    assert newest.opened().limits.categories == ("images",) and Passkey.objects.get(patient=patient).counter > 0
    standing = portal_ledger.evaluate("site", "consents:Get", {"commitment": newest.commitment})
    assert (standing["attestation"], standing["withdrawn_by"]) == ("passkey", "patient")
    assert json.loads(receipt.to_bytes())["signature"]["kind"] == "webauthn"
    said = mandate.grants.get()
    assert (said.attestation, said.withdrawn_by, admitted(mandate.patient)) == ("passkey", "patient", [])


def gives_narrows_and_stops(page, address, catch_up, folder):
    """The patient's walk; returns the receipt of the first consent."""
    page.goto(f"{address}/consent/passkey/")
    walks.check(page)
    walks.strike(page, "button", "Set up my passkey", "My passkey")
    page.get_by_text("Your passkey is set up.").wait_for()
    page.goto(f"{address}/consent/give/")
    understand(page)
    walks.choose(page, "read")
    walks.strike(page, "button", "Go on", "What may your record be used for?")
    walks.choose(page, "preset", "heart-disease")
    walks.strike(page, "button", "Go on", "For how long may it be used?")
    walks.choose(page, "until")
    walks.strike(page, "button", "Go on", "Check your answers")
    walks.strike(page, "button", "Yes, I agree: sign with my passkey", "Thank you. We are recording your yes")
    catch_up()
    grant = Grant.objects.get(mandate=None)
    page.goto(f"{address}/consent/{grant.pk}/receipt/")
    receipt = read_receipt(walks.keep(page, "Keep my receipt file", folder / "receipt.json").read_bytes())
    receipt.evidence.verify(passkeys.party())

    page.goto(f"{address}/consent/{grant.pk}/narrow/check/")
    walks.strike(page, "link", "Change more exactly", "Say more exactly")
    walks.reach(page, page.locator("summary", has_text="Parts of the record"))
    page.keyboard.press("Enter")
    for box in page.locator("input[name=categories]:not([value=images])").all():
        walks.reach(page, box)
        page.keyboard.press("Space")
    walks.strike(page, "button", "Go on", "Check your answers")
    walks.strike(page, "button", "Yes, allow only this: sign with my passkey", "Thank you. We are recording your yes")
    catch_up()
    page.goto(f"{address}/consent/{Grant.objects.get(replaces=grant).pk}/withdraw/")
    walks.check(page)
    walks.strike(page, "button", "Yes, stop now: sign with my passkey", "You have stopped this consent")
    return receipt


def speaks(page, address, catch_up, mandate):
    """The guardian's walk: a passkey for this child, a yes, where the record was used, taking it back."""
    page.goto(f"{address}/acting/")
    walks.strike(page, "link", re.compile("Look at it"), "Speaking for Ada")
    walks.strike(page, "link", "My passkey for Ada", "My passkey for Ada")
    walks.strike(page, "button", "Set up my passkey", "My passkey for Ada")
    page.get_by_text("It signs what you say for Ada.").wait_for()
    page.goto(f"{address}/acting/{mandate.pk}/")
    walks.strike(page, "link", "Say yes", "Say yes for Ada?")
    understand(page)
    walks.choose(page, "read")
    walks.choose(page, "preset", "heart-disease")
    walks.choose(page, "until")
    walks.strike(page, "button", "Go on", "Check what you say for Ada")
    walks.strike(page, "button", "Yes, I agree for Ada: sign with my passkey", "Speaking for Ada")
    catch_up()
    assert admitted(mandate.patient) == [mandate.grants.get().commitment]
    page.reload()
    page.get_by_text("With your own passkey").wait_for()
    walks.strike(page, "link", "Where the record was used", "Where the record of Ada was used")
    walks.strike(page, "link", "Back", "Speaking for Ada")
    walks.strike(page, "link", "Take it back", "Take back what you said for Ada?")
    walks.strike(page, "button", "Yes, take it back: sign with my passkey", "Speaking for Ada")
