"""Whoever speaks for a patient sees what stops before taking anything back, can allow less, and can leave one study."""

from __future__ import annotations

import time
import uuid

import pytest
from msgspec.structs import replace

from consent.limits import Denial
from consent.occasion import Occasion
from portal.catalogue import manifests
from portal.demo.authenticator import Passkey as Device
from portal.errors import PortalError
from portal.grid.stores import Consents
from portal.patients import impact, leaving, mandates, services
from tests.functional.patients.test_giving import ALL_KINDS, PLAINLY
from tests.functional.patients.test_impact import entered
from tests.functional.patients.test_passkeys import ORIGIN, RP_ID, Browser
from tests.functional.patients.test_speaking import AGES, HEART, admitted, guardian, says_yes, years_ago
from tests.support.desks import HOSPITAL
from tests.support.studies import approved
from training.site.gate import Gate

pytestmark = pytest.mark.django_db


@pytest.fixture
def family(desks, new_patient, settings, visitor):
    """An approved study, and a child with a record in its data set, whose mother and father have both said yes."""
    slug = desks.dataset()
    study = approved(desks, slug)
    desks.at("steward")
    settings.NODE = replace(settings.NODE, ages=AGES)
    ada = new_patient(records=(manifests.split_of(f"{HOSPITAL}/{slug}", 1).training[0],))
    mandates.register_age(patient=ada, born=years_ago(9), evidence=b"paper")
    both = guardian(ada, "mother"), guardian(ada, "father")
    for one in both:
        says_yes(visitor(one.account), one, "health-research")
    desks.follow()
    return *both, study


def text(answer) -> str:
    return " ".join(answer.content.decode().split())


def test_each_sees_what_stops_and_only_what_was_learned_on_their_own_word(family, visitor, desks):
    mother, father, study = family
    entered(mother.grants.get(), study, 1)
    hers, his = (visitor(one.account).get(f"/acting/said/{one.grants.get().pk}/take-back/") for one in (mother, father))
    for page in (hers, his):
        assert [one.facts.study for one in page.context["impact"].stops] == [study], "without either of them it stops"
        assert "it is without the record" in text(page) and "your record" not in text(page)
    assert [one.rounds for one in hers.context["impact"].stays] == [(1,)]
    assert his.context["impact"].stays == () and "because of what you said. There is nothing to undo" in text(his)
    mandates.end(mandate=mother)
    after = visitor(mother.account).get(f"/acting/said/{mother.grants.get().pk}/take-back/")
    assert not after.context["in_part"], "a word that counts no more can be taken back, not changed"
    for page in ("narrow/", "narrow/until/", "narrow/exactly/", "narrow/check/", f"take-back/{study}/"):
        place = f"/acting/said/{mother.grants.get().pk}/{page}"
        assert visitor(mother.account).get(place).status_code == 404, page


def test_less_is_allowed_by_whoever_said_more(family, visitor, desks):
    mother, _, study = family
    old, client = mother.grants.get(), visitor(mother.account)
    path = f"/acting/said/{old.pk}/narrow/"
    assert client.post(path, {"preset": "heart-disease"})["location"] == f"{path}until/"
    assert client.post(f"{path}until/", {"until": old.valid_until})["location"] == f"{path}check/"
    fewer = [one for one in ALL_KINDS if one != "genomics"]
    assert client.post(f"{path}exactly/", PLAINLY | {"categories": fewer})["location"] == f"{path}check/"
    page = text(client.get(f"{path}check/"))
    assert "What you said before stops now." in page and f'href="{path}until/"' in page and "your record" not in page
    assert client.post(f"{path}check/")["location"] == f"/acting/{mother.pk}/"
    assert admitted(mother.patient) == [], "until it is recorded"
    desks.follow()
    new = mother.grants.get(replaces=old)
    assert (new.preset, new.mandate, new.stands) == ("heart-disease", mother, True)
    assert new.opened().mandate == mother.opened() and "genomics" not in new.opened().limits.categories
    assert [one.facts.study for one in impact.of_giver(new).stops] == [study]
    with pytest.raises(PortalError, match=r"patients\.not-narrower"):
        services.narrow(grant=new, preset="general-research", valid_until=new.valid_until)


def test_one_study_is_left_and_that_is_no_no_to_everything(family, visitor, desks):
    mother, father, study = family
    client, old = visitor(mother.account), mother.grants.get()
    path = f"/acting/said/{old.pk}/take-back/{study}/"
    assert path in client.get(f"/acting/said/{old.pk}/take-back/").content.decode()
    assert client.post(path).status_code == 302
    desks.follow()
    new = mother.grants.get(replaces=old)
    assert leaving.left(new.opened().limits) == {study}
    assert "You said no" not in text(client.get(f"/acting/{mother.pk}/"))
    assert impact.of_giver(father.grants.get()).stops == (), "her no to it holds for both"
    others = Gate(HEART, int(time.time()) + 1, 10**9, Occasion(str(uuid.uuid4()), int(time.time())))
    assert others.admit(Consents().standings([str(mother.patient_id)])), "other research goes on"


def test_it_is_signed_with_their_passkey_and_by_nobody_else(family, visitor, desks):
    mother, father, _ = family
    browser = Browser(visitor(mother.account), Device(RP_ID, ORIGIN))
    assert browser.set_up(f"/acting/{mother.pk}/passkey/").status_code == 302
    path = f"/acting/said/{mother.grants.get().pk}/narrow/"
    for other in (father.account, mother.patient.account):
        assert visitor(other).get(path).status_code == 404
    browser.client.post(path, {"preset": "heart-disease"})
    assert browser.client.post(f"{path}check/", {"nothing": "signed"}).status_code == 422
    assert browser.client.post(f"{path}check/", {"passkey": browser.touch(f"{path}check/")}).status_code == 302
    assert mother.grants.order_by("-made")[0].attestation == "passkey"


def test_a_no_cannot_be_made_smaller_and_the_right_is_not_stretched(family, visitor):
    mother, _, _ = family
    no = mandates.speak(mandate=mother, wish=None, text=mother.grants.get().text, language="en")
    assert no.opened().limits.denied == (Denial(),)
    client = visitor(mother.account)
    assert client.get(f"/acting/said/{no.pk}/narrow/").status_code == 404
    page = client.get(f"/acting/said/{no.pk}/take-back/")
    assert "You said no." in text(page) and "What stops" not in text(page)
