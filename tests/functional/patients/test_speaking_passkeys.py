"""A guardian's own passkeys: what they say for a child is signed with one, another for each child."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from consent.receipt import read_receipt
from portal import ledger as portal_ledger
from portal.accounts.services import create_user
from portal.demo.authenticator import Passkey as Device
from portal.patients import passkeys, services
from portal.patients.models import Grant, Mandate, Passkey
from tests.functional.patients.test_passkeys import ORIGIN, RP_ID, Browser, sent_by
from tests.functional.patients.test_speaking import AGES, admitted, child, guardian
from tests.support.understanding import understood

pytestmark = pytest.mark.django_db


@pytest.fixture
def mandate(ledger, settings, catch_up) -> Mandate:
    settings.NODE = replace(settings.NODE, ages=AGES)
    catch_up()
    return guardian(child(9), "mother")


@pytest.fixture
def browser(mandate, visitor) -> Browser:
    made = Browser(visitor(mandate.account), Device(RP_ID, ORIGIN))
    answered = made.set_up(f"/acting/{mandate.pk}/passkey/")
    assert answered.status_code == 302, answered.content.decode()
    return made


def chosen(client, mandate: Mandate) -> str:
    """Everything up to the page on which a yes is checked, whose address is returned."""
    address = f"/acting/{mandate.pk}/yes/"
    until = client.get(address).context["form"].fields["until"].choices[-1][0]
    answered = client.post(address, understood() | {"preset": "heart-disease", "until": until})
    return str(answered["location"])


def test_a_yes_and_taking_it_back_are_signed_with_the_guardians_own_passkey(browser, mandate, catch_up):
    path = chosen(browser.client, mandate)
    assert browser.client.post(path).status_code == 422 and not Grant.objects.exists()  # never signed for unasked
    assert browser.client.post(path, {"passkey": browser.touch(path)}).status_code == 302
    catch_up()
    grant = mandate.grants.get()
    assert (grant.attestation, admitted(mandate.patient)) == ("passkey", [grant.commitment])
    standing = portal_ledger.evaluate("site", "consents:Get", {"commitment": grant.commitment})
    assert standing["attestation"] == "passkey"
    receipt = read_receipt(browser.client.get(f"/acting/said/{grant.pk}/receipt.json").content)
    receipt.evidence.verify(passkeys.party())
    assert receipt.details.mandate == mandate.opened() and receipt.evidence.key == bytes(Passkey.objects.get().public)
    page = browser.client.get(f"/acting/{mandate.pk}/").content.decode()
    assert "With your own passkey" in page

    path = f"/acting/said/{grant.pk}/take-back/"
    assert browser.client.post(path, {"passkey": browser.touch(path)}).status_code == 302
    catch_up()
    grant.refresh_from_db()
    assert (grant.withdrawn_by, admitted(mandate.patient)) == ("patient", [])


def test_a_no_is_signed_with_it_too_and_without_it_the_hospital_signs(browser, mandate, catch_up):
    path = f"/acting/{mandate.pk}/no/"
    assert browser.client.post(path, {"sure": "on"}).status_code == 422
    assert browser.client.post(path, {"sure": "on", "passkey": browser.touch(path)}).status_code == 302
    catch_up()
    no = mandate.grants.get()
    assert no.attestation == "passkey" and no.opened().limits.denied
    path = chosen(browser.client, mandate)
    assert browser.client.post(path, {"without": "passkey"}).status_code == 302
    catch_up()
    assert mandate.grants.get(replaces=no).attestation == "portal-key"
    no.refresh_from_db()
    assert no.withdrawn_by == "code"  # what a passkey signed, no key kept here can take back


def test_each_child_has_a_passkey_of_its_own_and_none_signs_for_another(browser, mandate):
    brother = guardian(child(7), "mother")
    path = chosen(browser.client, brother)
    assert "data-options" not in browser.client.get(path).content.decode()
    other = Browser(browser.client, Device(RP_ID, ORIGIN))
    assert other.set_up(f"/acting/{brother.pk}/passkey/").status_code == 302
    mine = {bytes(one.public) for one in Passkey.objects.all()}
    assert len(mine) == 2 and browser.asked(path)["allowCredentials"] != []
    wrong = sent_by(browser.device, browser.asked(path)["challenge"])
    assert "patients.other-passkey" in browser.client.post(path, {"passkey": wrong}).content.decode()
    assert browser.client.post(path, {"passkey": other.touch(path)}).status_code == 302
    assert not mandate.grants.exists() and bytes(brother.grants.get().passkey.public) in mine


def test_a_patient_who_speaks_for_a_child_keeps_both_apart(mandate, new_patient, visitor, catch_up):
    mother = new_patient("grown-up")
    own = guardian(mandate.patient, "grown-up")
    browser = Browser(visitor(mother.account), Device(RP_ID, ORIGIN))
    assert browser.set_up().status_code == 302
    path = chosen(browser.client, own)
    assert "data-options" not in browser.client.get(path).content.decode()
    assert passkeys.active(mother) is not None and passkeys.active(own) is None
    assert browser.client.post(path).status_code == 302
    assert own.grants.get().attestation == "portal-key"


def test_a_lost_one_is_noted_by_a_steward_and_the_next_may_take_back(browser, mandate, catch_up, visitor):
    path = chosen(browser.client, mandate)
    browser.client.post(path, {"passkey": browser.touch(path)})
    catch_up()
    steward = visitor(create_user(username="steward", role="steward")[0])
    assert "Its passkey is lost" in steward.get("/mandates/").content.decode()
    assert "Is the passkey of this mandate lost?" in steward.get(f"/mandates/{mandate.pk}/lost/").content.decode()
    assert passkeys.active(mandate) is not None, "a link alone loses nothing"
    assert steward.post(f"/mandates/{mandate.pk}/lost/").status_code == 302
    assert steward.get(f"/mandates/{mandate.pk}/lost/")["Location"] == "/mandates/", "it is lost"
    assert passkeys.active(mandate) is None
    browser.device = Device(RP_ID, ORIGIN)
    assert "is lost" in browser.client.get(f"/acting/{mandate.pk}/passkey/").content.decode()
    assert browser.set_up(f"/acting/{mandate.pk}/passkey/").status_code == 302
    catch_up()
    grant = mandate.grants.get()
    assert grant.attestation == "hospital-attested" and grant.rekeyed_at
    path = f"/acting/said/{grant.pk}/take-back/"
    assert browser.client.post(path, {"passkey": browser.touch(path)}).status_code == 302
    catch_up()
    grant.refresh_from_db()
    assert grant.withdrawn_by == "patient"


def test_what_was_drafted_for_one_is_not_signed_for_another(browser, mandate):
    """The patient's own draft and that of who speaks for them wait apart."""
    path = chosen(browser.client, mandate)
    asked = browser.asked(path)
    wish = services.Wish(mandate.patient, "cancer", services.this_month(), "2030-01")
    with pytest.raises(Exception, match=r"patients\.draft-old"):
        touched = passkeys.touch(sent_by(browser.device, asked["challenge"]))
        services.prepare(wish, services.texts.text(services.texts.FIRST), touched, mandate)
