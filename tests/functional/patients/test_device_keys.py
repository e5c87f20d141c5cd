"""A key in a file: set up, asked for each consent and withdrawal, lost; the command line signs, the pages take it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consent.encoding import to_base64url
from consent.errors import GrantRefused
from consent.receipt import read_receipt
from ledger.verify import claims, export, verify
from portal import consent_cli
from portal import ledger as portal_ledger
from portal.accounts.models import Role, User
from portal.patients import passkey_setup
from portal.patients.models import Draft, Grant, Passkey, Status
from tests.functional.patients.test_passkeys import chosen

pytestmark = pytest.mark.django_db


class Owner:
    """A patient with a key in a file, and the command line to sign with it."""

    def __init__(self, client, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.key = folder / "key.pem"
        self.public = self.command("new-key", str(self.key))

    def command(self, *arguments: str) -> str:
        done = CliRunner().invoke(consent_cli.app, arguments)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    def signed(self, page: str) -> str:
        """What the tool prints for the file that `page` offers."""
        link = re.search(r'href="(/consent/[^"]*to-sign\.json)"', self.client.get(page).content.decode())
        assert link, page
        file = self.folder / "to-sign.json"
        file.write_bytes(self.client.get(link.group(1)).content)
        return self.command("sign", str(file), "--key", str(self.key), "--yes")

    def send(self, page: str) -> None:
        answered = self.client.post(page, {"signature": self.signed(page)})
        assert answered.status_code == 302, answered.content.decode()


@pytest.fixture
def owner(ledger, catch_up, as_patient, tmp_path) -> Owner:
    _, client = as_patient
    catch_up()
    made = Owner(client, tmp_path)
    assert client.post("/consent/key/", {"key": made.public}).status_code == 302
    return made


def given(owner: Owner) -> Grant:
    chosen(owner.client)
    owner.send("/consent/give/check/")
    return Grant.objects.order_by("-made")[0]


def test_a_consent_and_its_withdrawal_are_signed_by_a_key_the_hospital_never_has(owner, catch_up, ledger, tmp_path):
    grant = given(owner)
    assert grant.attestation == "device-key" and not Draft.objects.exists()
    catch_up()
    standing = portal_ledger.evaluate("site", "consents:Get", {"commitment": grant.commitment})
    assert (standing["attestation"], standing["status"]) == ("device-key", "active")
    assert "With your own key, which you keep in a file" in owner.client.get("/consent/").content.decode()
    receipt, file = tmp_path / "receipt.json", tmp_path / "ledger.blocks"
    receipt.write_bytes(owner.client.get(f"/consent/{grant.pk}/receipt.json").content)
    assert to_base64url(read_receipt(receipt.read_bytes()).evidence.key) == owner.public
    export(portal_ledger.gateway(portal_ledger.reader()), file)
    assert claims.receipt(receipt, verify(file, ledger.genesis)).what.attestation == "device-key"

    owner.send(f"/consent/{grant.pk}/withdraw/")
    catch_up()
    grant.refresh_from_db()
    assert (grant.status, grant.withdrawn_by) == (Status.WITHDRAWN, "patient")
    assert owner.client.get(f"/consent/{grant.pk}/to-sign.json").status_code == 404


def test_without_the_key_stopping_is_as_easy_and_nothing_is_signed_unasked(owner, catch_up):
    chosen(owner.client)
    assert owner.client.post("/consent/give/check/", {"signature": ""}).status_code == 422
    assert not Grant.objects.exists()
    owner.send("/consent/give/check/")
    catch_up()
    grant = Grant.objects.get()
    assert owner.client.post(f"/consent/{grant.pk}/withdraw/", {"without": "key"}).status_code == 302
    catch_up()
    grant.refresh_from_db()
    assert grant.withdrawn_by == "code"


def test_what_this_key_did_not_sign_now_is_refused(owner):
    chosen(owner.client)
    old = owner.signed("/consent/give/check/")
    owner.client.get("/consent/give/check/")  # another draft: the file from before is too old
    for sent in (old, "AAAA", "no line of ours", "A" * 300):
        answered = owner.client.post("/consent/give/check/", {"signature": sent})
        assert answered.status_code == 422 and "patients.signature-refused" in answered.content.decode()
    assert not Grant.objects.exists()


def test_less_is_signed_with_it_and_what_the_hospital_signed_is_signed_anew(owner, catch_up):
    chosen(owner.client, "general-research")
    assert owner.client.post("/consent/give/check/", {"without": "key"}).status_code == 302
    catch_up()
    grant = Grant.objects.get()
    assert grant.attestation == "portal-key"
    owner.send(f"/consent/{grant.pk}/sign/")
    catch_up()
    anew = Grant.objects.get(replaces=grant)
    owner.client.post(f"/consent/{anew.pk}/narrow/", {"preset": "heart-disease"})
    owner.send(f"/consent/{anew.pk}/narrow/check/")
    catch_up()
    less = Grant.objects.get(replaces=anew)
    assert (anew.attestation, less.attestation, less.preset) == ("device-key", "device-key", "heart-disease")
    anew.refresh_from_db()
    assert anew.withdrawn_by == "code"


def test_a_lost_one_is_replaced_and_the_new_one_may_withdraw(owner, catch_up, visitor, tmp_path):
    grant = given(owner)
    catch_up()
    steward = visitor(User.objects.create(username="steward", role=Role.STEWARD, password="!"))
    assert "A key in a file" in steward.get(f"/patients/{grant.patient_id}/").content.decode()
    steward.post(f"/patients/{grant.patient_id}/lost/")
    folder = tmp_path / "next"
    folder.mkdir()
    new = Owner(owner.client, folder)
    assert new.client.post("/consent/key/", {"key": new.public}).status_code == 302
    catch_up()
    grant.refresh_from_db()
    assert grant.attestation == "hospital-attested" and grant.rekeyed_at
    new.send(f"/consent/{grant.pk}/withdraw/")
    catch_up()
    grant.refresh_from_db()
    assert grant.withdrawn_by == "patient"


def test_what_is_no_public_key_is_not_set_up_and_one_key_is_enough(owner, as_patient):
    patient, client = as_patient
    assert client.get("/consent/key/").status_code == 302  # there is one
    with pytest.raises(Exception, match=r"patients\.has-passkey"):
        passkey_setup.register_device(patient=patient, key=owner.public)
    Passkey.objects.all().delete()
    for sent, code in (
        ("", "Copy the whole line"),
        ("AA", "grant.key-encoding"),
        ("no!", "patients.signature-refused"),
    ):
        answered = client.post("/consent/key/", {"key": sent})
        assert answered.status_code == 422 and code in answered.content.decode()
    assert not Passkey.objects.exists()


def test_the_tool_signs_nothing_but_what_it_has_shown(owner, tmp_path):
    file = tmp_path / "other.json"
    file.write_text("{}")
    with pytest.raises(GrantRefused, match=r"to-sign\.malformed"):
        owner.command("sign", str(file), "--key", str(owner.key), "--yes")
    chosen(owner.client)
    owner.signed("/consent/give/check/")
    asked = CliRunner().invoke(
        consent_cli.app, ["sign", str(tmp_path / "to-sign.json"), "--key", str(owner.key)], input="n\n"
    )
    assert asked.exit_code == 1 and "Gives consent at ClevelandMSP" in asked.stderr and not asked.stdout.strip()


def test_nobody_is_given_a_file_to_sign_without_such_a_key(ledger, catch_up, as_patient):
    _, client = as_patient
    assert client.get("/consent/to-sign.json").status_code == 404
    chosen(client)
    client.post("/consent/give/check/")
    assert client.get(f"/consent/{Grant.objects.get().pk}/to-sign.json").status_code == 404
