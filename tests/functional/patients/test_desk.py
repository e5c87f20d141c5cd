"""A steward with a patient at the desk: the way to sign in, and whom to ask again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from consent import periods
from portal.accounts.models import Role, User
from portal.patients import lapses, services
from portal.patients.models import Grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(steward, visitor):
    return visitor(steward)


def agree(patient) -> Grant:
    month = services.this_month()
    until = periods.shift_months(month, 12)
    return services.give(patient=patient, preset="heart-disease", valid_from=month, valid_until=until)


def asked_again(desk) -> str:
    return desk.get("/patients/again/").content.decode()


def test_a_patient_gets_a_name_at_the_desk_and_signs_in_with_it(ledger, catch_up, desk, visitor):
    catch_up()
    patient = services.enrol([["row-1"]])[0]
    at, path = f"/patients/{patient.pk}/", f"/patients/{patient.pk}/account/"
    assert f'href="{path}"' in desk.get(at).content.decode()
    wrong = desk.post(path, {"username": "Ada Lovelace"})
    assert wrong.status_code == 422 and b"This cannot be a sign-in name" in wrong.content
    taken = desk.post(path, {"username": "steward"})
    assert taken.status_code == 422 and b"accounts.taken" in taken.content
    assert User.objects.filter(role=Role.PATIENT).count() == 0

    made = desk.post(path, {"username": " p.1815 "})
    assert made.status_code == 200 and made["Cache-Control"] == "no-store"
    name, password = made.context["username"], made.context["password"]
    assert name == "p.1815" and password in made.content.decode()
    client = visitor()
    assert client.post("/accounts/login/", {"username": name, "password": password})["location"] == "/"
    assert client.get("/consent/").status_code == 200

    assert desk.get(path)["location"] == at, "there is one account, whose password nobody here can ask for"
    assert desk.post(path, {"username": "another"})["location"] == at
    page = desk.get(at).content.decode()
    assert name in page and "covenant account password p.1815" in page and password not in page


def test_whose_consent_ended_is_asked_again_until_somebody_has_spoken(ledger, catch_up, desk, new_patient):
    ada, bea = new_patient(), new_patient()
    grants = [agree(ada), agree(bea)]
    catch_up()
    assert "Nobody." in asked_again(desk)
    assert lapses.notice(datetime.now(UTC) + timedelta(days=800)) == 2
    page = asked_again(desk)
    assert page.count(str(ada.pk)) == page.count(str(bea.pk)) == 2, "an address and a name each"
    assert "The last day that was chosen is over." in page

    agree(ada)
    services.withdraw(grant=grants[1])
    page = asked_again(desk)
    assert str(ada.pk) not in page and str(bea.pk) not in page


def test_two_consents_of_one_patient_that_ended_are_asked_about_once(ledger, catch_up, desk, new_patient):
    ada = new_patient()
    for _ in range(2):
        agree(ada)
        catch_up()
        Grant.objects.filter(lapse="").update(lapse="consent.expired", lapsed_at=datetime.now(UTC))
    assert [one.patient_id for one in lapses.to_ask_again()] == [ada.pk]
