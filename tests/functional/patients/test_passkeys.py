"""A patient's passkey from the first day to the day it is lost, through the pages, on a real ledger."""

from __future__ import annotations

import html
import json
import re
from hashlib import sha256
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from consent.encoding import from_base64url, to_base64url
from consent.errors import ProofRefused
from consent.impact import Facts, Impact, resting
from consent.receipt import read_receipt
from consent.webauthn import PRESENT, Assertion
from ledger.verify import claims, export, verify
from portal import ledger as portal_ledger
from portal.accounts.models import Role, User
from portal.demo.authenticator import Passkey as Device
from portal.patients import impact, leaving, passkey_setup, passkeys, services
from portal.patients.models import Draft, Grant, Passkey, Status
from tests.functional.patients.test_consent_path import give
from tests.support.understanding import understood

pytestmark = pytest.mark.django_db
ORIGIN, RP_ID = "http://cleveland.localhost:8001", "cleveland.localhost"


class Browser:
    """A patient's browser with a passkey at hand: it answers what the page asks the passkey for."""

    def __init__(self, client: Any, device: Device) -> None:
        self.client, self.device = client, device

    def asked(self, path: str) -> dict[str, Any]:
        page = self.client.get(path).content.decode()
        found = re.search(r'data-options="([^"]+)"', page)
        assert found, page
        asked: dict[str, Any] = json.loads(html.unescape(found.group(1)))
        return asked

    def touch(self, path: str, **how: Any) -> str:
        """What the browser puts into the form at `path`."""
        asked = self.asked(path)
        assert asked["rpId"] == RP_ID and asked["userVerification"] == "required"
        assert asked["allowCredentials"] == [{"type": "public-key", "id": to_base64url(self.device.credential)}]
        return sent_by(self.device, **{"challenge": asked["challenge"], **how})

    def set_up(self, path: str = "/consent/passkey/", **how: Any) -> Any:
        asked = self.asked(path)
        assert [one["alg"] for one in asked["pubKeyCredParams"]] == [-7] and asked["rp"]["id"] == RP_ID
        sent = json.dumps(self.device.create(from_base64url(asked["challenge"]), **how))
        return self.client.post(path, {"passkey": sent})


def sent_by(device: Device, challenge: str, **how: Any) -> str:
    """The same, as the form's field."""
    return json.dumps({"credential": to_base64url(device.credential), **answer(device, challenge, **how)})


def answer(device: Device, challenge: str, **how: Any) -> dict[str, str]:
    """The parts of an assertion over a challenge that the page gave: the message itself is not in the browser."""
    made: Assertion = device.sign(b"", **{"challenge": challenge, **how})
    return {name: getattr(made, name) for name in made.__struct_fields__}


def chosen(client: Any, preset: str = "heart-disease") -> None:
    """Everything up to the page on which answers are checked."""
    client.post("/consent/give/", understood())
    client.post("/consent/give/purpose/", {"preset": preset})
    page = client.get("/consent/give/until/")
    client.post("/consent/give/until/", {"until": page.context["form"].fields["until"].choices[-1][0]})


def given(browser: Browser) -> Grant:
    chosen(browser.client)
    sent = browser.touch("/consent/give/check/")
    answered = browser.client.post("/consent/give/check/", {"passkey": sent})
    assert answered.status_code == 302, answered.content.decode()
    return Grant.objects.get(pk=answered["location"].strip("/").split("/")[-1])


@pytest.fixture
def browser(ledger, catch_up, as_patient) -> Browser:
    _, client = as_patient
    catch_up()
    made = Browser(client, Device(RP_ID, ORIGIN))
    answered = made.set_up()
    assert answered.status_code == 302, answered.content.decode()
    return made


@pytest.fixture
def steward(visitor, db):
    return visitor(User.objects.create(username="steward", role=Role.STEWARD, password="!"))


def on_the_ledger(grant: Grant) -> Any:
    return portal_ledger.evaluate("site", "consents:Get", {"commitment": grant.commitment})


def test_a_consent_and_its_withdrawal_are_signed_with_the_passkey(browser, catch_up):
    grant = given(browser)
    assert grant.attestation == "passkey" and not Draft.objects.exists()
    catch_up()
    grant.refresh_from_db()
    assert grant.status == Status.RECORDED
    assert on_the_ledger(grant)["attestation"] == "passkey"
    assert "With your own passkey" in browser.client.get("/consent/").content.decode()
    receipt = read_receipt(browser.client.get(f"/consent/{grant.pk}/receipt.json").content)
    receipt.evidence.verify(passkeys.party())

    path = f"/consent/{grant.pk}/withdraw/"
    assert browser.client.post(path, {"passkey": browser.touch(path)}).status_code == 302
    catch_up()
    grant.refresh_from_db()
    assert (grant.status, grant.withdrawn_by) == (Status.WITHDRAWN, "patient")
    assert Passkey.objects.get().counter == 3


def test_a_passkeys_receipt_verifies_offline(browser, catch_up, ledger, tmp_path):
    grant = given(browser)
    catch_up()
    receipt, file = tmp_path / "receipt.json", tmp_path / "ledger.blocks"
    receipt.write_bytes(browser.client.get(f"/consent/{grant.pk}/receipt.json").content)
    export(portal_ledger.gateway(portal_ledger.reader()), file)
    verified = verify(file, ledger.genesis)
    shown = claims.receipt(receipt, verified)
    assert (shown.what.attestation, shown.what.rekeyed) == ("passkey", False)
    assert any("passkey signed it" in line for line in shown.lines())
    body = json.loads(receipt.read_text())
    body["signature"] = {"kind": "paper"}
    receipt.write_text(json.dumps(body, separators=(",", ":"), sort_keys=True))
    with pytest.raises(ProofRefused, match="receipt.attestation-mismatch"):
        claims.receipt(receipt, verified)


def test_without_the_passkey_stopping_is_as_easy(browser, catch_up):
    grant = given(browser)
    catch_up()
    assert browser.client.post(f"/consent/{grant.pk}/withdraw/", {"without": "passkey"}).status_code == 302
    catch_up()
    grant.refresh_from_db()
    assert (grant.status, grant.withdrawn_by) == (Status.WITHDRAWN, "code")


def test_without_a_script_nothing_is_signed_unasked(browser):
    chosen(browser.client)
    answered = browser.client.post("/consent/give/check/", {"passkey": ""})
    assert answered.status_code == 422 and "did not sign" in answered.content.decode()
    assert not Grant.objects.exists()
    assert browser.client.post("/consent/give/check/", {"without": "passkey"}).status_code == 302
    assert Grant.objects.get().attestation == "portal-key"


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ({"challenge": to_base64url(sha256(b"another statement").digest())}, "grant.passkey-challenge"),
        ({"origin": "http://cleveland.localhost"}, "grant.passkey-origin"),
        ({"origin": "http://hungary.localhost:8002"}, "grant.passkey-origin"),
        ({"rp_id": "hungary.localhost"}, "grant.passkey-rp-id"),
        ({"flags": PRESENT}, "grant.passkey-not-verified"),
        ({"type": "webauthn.create"}, "grant.passkey-type"),
    ],
)
def test_what_is_wrong_with_a_touch_signs_nothing(browser, how, cause):
    chosen(browser.client)
    sent = browser.touch("/consent/give/check/", **how)
    answered = browser.client.post("/consent/give/check/", {"passkey": sent})
    assert answered.status_code == 422 and "patients.passkey-refused" in answered.content.decode()
    assert not Grant.objects.exists()
    with pytest.raises(Exception, match="patients.passkey-refused") as raised:
        message = b"what is shown"
        made = {"challenge": to_base64url(sha256(message).digest()), **how}
        touched = passkeys.touch(sent_by(browser.device, **made))
        assert touched is not None
        passkeys.checked(Passkey.objects.get().patient, message, touched)
    assert raised.value.context["cause"] == cause


@pytest.mark.parametrize("sent", ["{}", "[]", "no JSON", '{"credential":"AA"}', '{"credential":1}'])
def test_what_no_browser_sends_is_refused(browser, sent):
    with pytest.raises(Exception, match="patients.passkey-refused"):
        passkeys.touch(sent)


def test_another_passkey_and_a_page_that_is_too_old_sign_nothing(browser):
    chosen(browser.client)
    old = browser.touch("/consent/give/check/")
    stranger = sent_by(Device(RP_ID, ORIGIN), browser.asked("/consent/give/check/")["challenge"])
    for sent, code in ((stranger, "patients.other-passkey"), (old, "patients.passkey-refused")):
        answered = browser.client.post("/consent/give/check/", {"passkey": sent})
        assert code in answered.content.decode()
    assert not Grant.objects.exists()


@pytest.mark.parametrize(
    "how",
    [
        {"flags": PRESENT},
        {"origin": "http://evil.example"},
        {"crossOrigin": True},
        {"type": "webauthn.get"},
        {"challenge": to_base64url(bytes(32))},
    ],
)
def test_a_passkey_made_elsewhere_or_without_checking_its_user_is_not_set_up(ledger, catch_up, as_patient, how):
    _, client = as_patient
    catch_up()
    answered = Browser(client, Device(RP_ID, ORIGIN)).set_up(**how)
    assert answered.status_code == 422 and not Passkey.objects.exists()


def test_a_passkey_for_another_site_is_not_set_up_and_a_challenge_counts_once(ledger, catch_up, as_patient):
    _, client = as_patient
    catch_up()
    assert Browser(client, Device("hungary.localhost", ORIGIN)).set_up().status_code == 422
    browser = Browser(client, Device(RP_ID, ORIGIN))
    sent = json.dumps(browser.device.create(from_base64url(browser.asked("/consent/passkey/")["challenge"])))
    session = client.session
    del session["passkey"]
    session.save()
    assert client.post("/consent/passkey/", {"passkey": sent}).status_code == 422
    assert not Passkey.objects.exists()


@pytest.mark.parametrize("made", [b"", b"\xa0", b"\xff", b"\xa3cfmtdnoneggattStmt\xa0hauthDataA\x00", b"\xbf" * 40])
def test_a_garbled_passkey_is_refused_and_nothing_else_happens(ledger, catch_up, as_patient, made):
    _, client = as_patient
    catch_up()
    browser = Browser(client, Device(RP_ID, ORIGIN))
    sent = browser.device.create(from_base64url(browser.asked("/consent/passkey/")["challenge"]))
    sent["response"]["attestationObject"] = to_base64url(made)
    answered = client.post("/consent/passkey/", {"passkey": json.dumps(sent)})
    assert answered.status_code == 422 and not Passkey.objects.exists()


def test_there_is_one_passkey_at_a_time(browser):
    with pytest.raises(Exception, match="patients.has-passkey"):
        passkey_setup.creation(Passkey.objects.get().patient)


def test_a_counter_that_goes_back_is_said_and_one_that_is_always_zero_is_not(browser, catch_up):
    device = browser.device
    device.counter = 40
    grant = given(browser)
    assert Passkey.objects.get().copied is None
    device.counter = 7
    path = f"/consent/{grant.pk}/withdraw/"
    assert browser.client.post(path, {"passkey": browser.touch(path)}).status_code == 302
    assert Passkey.objects.get().copied is not None
    assert "its counter went back" in browser.client.get("/consent/passkey/").content.decode()
    Passkey.objects.update(copied=None, counter=0)
    passkeys.watch(Passkey.objects.get(), 0)
    assert Passkey.objects.get().copied is None


def test_what_the_hospital_signed_is_signed_again_with_the_passkey(ledger, catch_up, as_patient):
    patient, client = as_patient
    catch_up()
    old = give(client)
    catch_up()
    browser = Browser(client, Device(RP_ID, ORIGIN))
    assert browser.set_up().status_code == 302
    assert "Look at it and sign" in client.get("/consent/passkey/").content.decode()
    path = f"/consent/{old.pk}/sign/"
    answered = client.post(path, {"passkey": browser.touch(path)})
    assert answered.status_code == 302, answered.content.decode()
    catch_up()
    old.refresh_from_db()
    new = Grant.objects.get(replaces=old)
    assert (old.status, old.withdrawn_by, new.status, new.attestation) == (
        "withdrawn",
        "patient",
        "recorded",
        "passkey",
    )
    assert (new.preset, new.valid_until, bytes(new.secret)) == (old.preset, old.valid_until, bytes(old.secret))


def test_a_lost_passkey_is_replaced_at_the_desk_and_the_new_one_may_only_stop(browser, catch_up, steward):
    grant = given(browser)
    catch_up()
    where = f"/patients/{grant.patient_id}/"
    assert "It is lost" in steward.get(where).content.decode()
    assert steward.post(f"{where}lost/").status_code == 302
    grant.refresh_from_db()
    assert grant.attestation == "passkey" and Passkey.objects.filter(lost=None).count() == 0
    lost, browser.device = browser.device, Device(RP_ID, ORIGIN)
    assert "is lost" in browser.client.get("/consent/passkey/").content.decode()
    assert browser.set_up().status_code == 302
    catch_up()
    grant.refresh_from_db()
    assert grant.attestation == "hospital-attested" and grant.rekeyed_at
    standing = on_the_ledger(grant)
    assert (standing["status"], standing["attestation"]) == ("active", "hospital-attested")
    page = browser.client.get(f"/consent/{grant.pk}/").content.decode()
    assert "no key of yours" in page and "a new one took its place" in page

    path = f"/consent/{grant.pk}/withdraw/"
    stolen = sent_by(lost, browser.asked(path)["challenge"])
    assert "patients.other-passkey" in browser.client.post(path, {"passkey": stolen}).content.decode()
    assert browser.client.post(path, {"passkey": browser.touch(path)}).status_code == 302
    catch_up()
    grant.refresh_from_db()
    assert (grant.status, grant.withdrawn_by) == (Status.WITHDRAWN, "patient")


def test_a_replaced_passkey_signs_the_consent_anew_and_it_is_the_patients_own_word_again(browser, catch_up, steward):
    old = given(browser)
    catch_up()
    steward.post(f"/patients/{old.patient_id}/lost/")
    browser.device = Device(RP_ID, ORIGIN)
    browser.set_up()
    catch_up()
    path = f"/consent/{old.pk}/sign/"
    assert browser.client.post(path, {"passkey": browser.touch(path)}).status_code == 302
    catch_up()
    new = Grant.objects.get(replaces=old)
    assert (new.status, new.attestation, on_the_ledger(old)["status"]) == ("recorded", "passkey", "withdrawn")


def test_a_consent_on_paper_is_attested_by_the_hospital_and_names_the_scan(ledger, catch_up, steward, as_patient):
    patient, client = as_patient
    catch_up()
    record = patient.record_ids[0]
    assert steward.post("/patients/", {"record": "nobody's"}).status_code == 422
    assert steward.post("/patients/", {"record": record})["location"] == f"/patients/{patient.pk}/"
    path = f"/patients/{patient.pk}/paper/"
    page = steward.get(path)
    said = {"preset": "heart-disease", "until": page.context["form"].fields["until"].choices[0][0], "seen": "on"}
    assert steward.post(path, said).status_code == 422 and not Grant.objects.exists()
    scan = SimpleUploadedFile("scan.pdf", b"%PDF-1.7 a scan", content_type="application/pdf")
    assert steward.post(path, {**said, "scan": scan}).status_code == 302
    catch_up()
    grant = Grant.objects.get()
    assert (grant.status, grant.attestation) == (Status.RECORDED, "hospital-attested")
    assert grant.opened().document == sha256(b"%PDF-1.7 a scan").hexdigest()
    assert on_the_ledger(grant)["attestation"] == "hospital-attested"
    assert "The hospital says so" in client.get("/consent/").content.decode()
    assert read_receipt(client.get(f"/consent/{grant.pk}/receipt.json").content).details == grant.opened()
    services.withdraw(grant=grant)
    catch_up()
    grant.refresh_from_db()
    assert (grant.status, grant.withdrawn_by) == (Status.WITHDRAWN, "patient")


def test_a_key_replaced_while_the_ledger_is_away_is_told_later(browser, catch_up, steward, ledger):
    grant = given(browser)
    catch_up()
    steward.post(f"/patients/{grant.patient_id}/lost/")
    browser.device = Device(RP_ID, ORIGIN)
    ledger.stop()
    try:
        assert browser.set_up().status_code == 302
        grant.refresh_from_db()
        assert (grant.attestation, grant.rekeyed_at) == ("hospital-attested", None)
        assert "data-options" not in browser.client.get(f"/consent/{grant.pk}/withdraw/").content.decode()
    finally:
        ledger.start()
    ledger.await_ready()
    services.sending.sweep()
    catch_up()
    grant.refresh_from_db()
    assert grant.rekeyed_at is not None


def test_only_a_steward_is_at_the_desk_and_only_the_patient_has_a_passkey_page(ledger, as_patient, steward):
    patient, client = as_patient
    for page in (
        "",
        f"{patient.pk}/",
        "again/",
        f"{patient.pk}/account/",
        f"{patient.pk}/paper/",
        f"{patient.pk}/lost/",
    ):
        assert client.get(f"/patients/{page}").status_code == 404
    assert steward.get("/consent/passkey/").status_code == 404


def test_leaving_one_study_is_signed_with_the_passkey_and_never_unasked(browser, catch_up, monkeypatch):
    grant = given(browser)
    catch_up()
    study = "6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11"
    facts = Facts(
        study=study, title="Hearts", purpose="", status="approved", planned=2, last=None, on_withdrawal="finish",
        epsilon="0", delta="0.0001", model=None, licences=(),
    )  # fmt: skip
    waits = Impact(
        hospital="ClevelandMSP", commitments=(), studies=(resting(facts, [], waits=True),), epsilon="0", delta=""
    )
    monkeypatch.setattr(impact, "of_patient", lambda patient: waits)
    path = f"/consent/{grant.pk}/withdraw/{study}/"
    assert browser.client.post(path).status_code == 422 and Grant.objects.count() == 1
    assert browser.client.post(path, {"passkey": browser.touch(path)}).status_code == 302
    catch_up()
    new = Grant.objects.get(replaces=grant)
    assert (new.status, new.attestation, leaving.left(new.opened().limits)) == (Status.RECORDED, "passkey", {study})
    grant.refresh_from_db()
    assert grant.status == Status.WITHDRAWN
