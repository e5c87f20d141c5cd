"""A patient in a real browser with a passkey of its own: set up, consent, stop; every page is looked at."""

from __future__ import annotations

import json

import pytest

from consent.receipt import read_receipt
from portal import ledger as portal_ledger
from portal.accounts.services import set_password
from portal.patients import passkeys, services
from portal.patients.models import Grant, Passkey
from tests.e2e import walks
from tests.support.understanding import understood

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_set_up_consent_and_stop(address, catch_up, program, monkeypatch, tmp_path):
    patient = services.enrol([("row-of-a-browser",)])[0]
    services.open_account(patient=patient, username="ada")
    patient.refresh_from_db()
    password = set_password(user=patient.account)
    catch_up()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread, Django beside it
    with walks.browser(program("chromium")) as page:
        walks.authenticator(page)
        walks.sign_in(page, address, "ada", password)

        def press(button: str, heading: str) -> None:
            page.get_by_role("button", name=button, exact=True).click()
            page.get_by_role("heading", level=1, name=heading).wait_for()
            walks.check(page)

        page.goto(f"{address}/consent/passkey/")
        walks.check(page)
        press("Set up my passkey", "My passkey")
        page.get_by_text("Your passkey is set up.").wait_for()
        page.goto(f"{address}/consent/give/")
        for name, value in understood().items():
            page.locator(f'[name="{name}"]' + ("" if name == "read" else f'[value="{value}"]')).check()
        press("Go on", "What may your record be used for?")
        page.get_by_label("Only to learn about heart disease").check()
        press("Go on", "For how long may it be used?")
        page.get_by_label("1 year").check()
        press("Go on", "Check your answers")
        press("Yes, I agree: sign with my passkey", "Thank you. We are recording your yes")
        catch_up()
        grant = Grant.objects.get()
        page.goto(f"{address}/consent/{grant.pk}/receipt/")
        receipt = read_receipt(walks.keep(page, "Keep my receipt file", tmp_path / "receipt.json").read_bytes())
        receipt.evidence.verify(passkeys.party())
        page.goto(f"{address}/consent/{grant.pk}/withdraw/")
        walks.check(page)
        press("Yes, stop now: sign with my passkey", "You have stopped this consent")
    catch_up()
    grant.refresh_from_db()
    assert (grant.attestation, grant.withdrawn_by) == ("passkey", "patient")
    assert Passkey.objects.get().counter > 0
    standing = portal_ledger.evaluate("site", "consents:Get", {"commitment": grant.commitment})
    assert (standing["attestation"], standing["withdrawn_by"]) == ("passkey", "patient")
    assert json.loads(receipt.to_bytes())["signature"]["kind"] == "webauthn"
