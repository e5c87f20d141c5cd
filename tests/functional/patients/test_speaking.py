"""Guardians, children and representatives, as the portal, the ledger and the gate meet them."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from msgspec.structs import replace

from consent import canonical, duo
from consent.errors import GrantRefused
from consent.mandate import Age, Ages
from consent.purpose import Purpose
from consent.receipt import read_receipt
from portal.errors import PortalError
from portal.grid.stores import Consents
from portal.patients import lapses, mandates, services, speaking, texts
from portal.patients.models import Grant, Mandate, Patient
from tests.support.understanding import understood
from training.site.gate import Gate

pytestmark = pytest.mark.django_db

AGES = Ages(name="ages-1", assent=14, majority=18, leap_day="03-01", zone="Europe/Budapest", source="a law")
HEART = Purpose.of(duo.DS, ["MONDO:0005267"], commercial=False, for_profit=False)


@pytest.fixture
def clinic(ledger, settings):
    settings.NODE = replace(settings.NODE, ages=AGES)
    return ledger


def years_ago(years: int) -> date:
    today = datetime.now(UTC).date()
    return date(today.year - years, today.month, min(today.day, 28)) - timedelta(days=40)


def child(years: int) -> Patient:
    patient = services.enrol([["row-7"]])[0]
    return mandates.register_age(patient=patient, born=years_ago(years), evidence=b"birth certificate")


def guardian(patient: Patient, name: str, **changed) -> Mandate:
    plain = {
        "office": "guardian",
        "called": "Ada",
        "until": None,
        "presets": (),
        "evidence": b"paper",
        "username": name,
    }
    return mandates.appoint(patient=patient, **(plain | changed))[0]


def comes_of_age(patient: Patient, when: float) -> None:
    """As if the birthday were at `when` (epoch seconds): nobody can wait for one."""
    moment = datetime.fromtimestamp(int(when), UTC)
    asked = (moment - timedelta(days=1000)).isoformat()
    patient.sealed_age = canonical.encode(
        Age(assents_from=asked, of_age_from=moment.isoformat(), policy="ages-1", evidence="ab" * 32)
    )
    patient.save()


def admitted(patient: Patient, when: float | None = None) -> list[str]:
    gate = Gate(HEART, int(when or time.time()) + 1, height=10**9)
    return [item.commitment for item in gate.admit(Consents().standings([str(patient.pk)]))]


def says_yes(client, mandate: Mandate, preset: str = "heart-disease") -> Grant:
    address = f"/acting/{mandate.pk}/yes/"
    until = client.get(address).context["form"].fields["until"].choices[-1][0]
    answer = client.post(address, understood() | {"preset": preset, "until": until})
    assert answer["location"] == f"/acting/{mandate.pk}/check/", answer.content
    assert client.post(answer["location"]).status_code == 302
    return mandate.grants.order_by("-made")[0]


def test_a_guardian_says_yes_with_a_key_of_their_own_and_can_prove_it(clinic, catch_up, visitor):
    ada, brother = child(9), child(7)
    mandate, other = guardian(ada, "mother"), guardian(brother, "mother")
    grant = says_yes(visitor(mandate.account), mandate)
    assert admitted(ada) == []  # not recorded yet
    before = visitor(mandate.account).get(f"/acting/{mandate.pk}/").content.decode()
    assert "on its way into the shared book" in before and "your record" not in before
    catch_up()
    assert admitted(ada) == [grant.commitment]
    receipt = read_receipt(visitor(mandate.account).get(f"/acting/said/{grant.pk}/receipt.json").content)
    assert receipt.evidence.verify().valid_until == grant.valid_until
    assert receipt.details.mandate == mandate.opened() and receipt.details.age == ada.age
    assert receipt.evidence.key == bytes(mandate.public) != bytes(other.public)
    page = visitor(mandate.account).get(f"/acting/{mandate.pk}/").content.decode()
    assert (
        "your record" not in page
        and "The record may be used" in page
        and "row-7" not in page
        and str(ada.pk) not in page
    )


def test_what_the_ledger_and_its_endorsers_see_says_nothing_of_age_or_mandate(clinic, visitor, monkeypatch):
    ada = child(9)
    mandate = guardian(ada, "mother")
    seen = []
    submit = services.sending.ledger.submit
    monkeypatch.setattr(
        services.sending.ledger, "submit", lambda *a, **k: (seen.append(repr((a, k))), submit(*a, **k))[1]
    )
    grant = says_yes(visitor(mandate.account), mandate)
    assert len(seen) == 1 and grant.commitment in seen[0]
    for told in ("guardian", "mandate", "age", ada.age.of_age_from, ada.age.of_age_from[:7], mandate.name):
        assert told not in seen[0].replace("language", "").replace("message", "")


def test_two_guardians_who_differ_are_both_told_and_a_no_wins(clinic, catch_up, visitor):
    ada = child(9)
    mother, father = guardian(ada, "mother"), guardian(ada, "father")
    says_yes(visitor(mother.account), mother)
    catch_up()
    assert admitted(ada)
    assert visitor(father.account).post(f"/acting/{father.pk}/no/", {"sure": "on"}).status_code == 302
    assert admitted(ada) == []  # at once, though not recorded yet
    catch_up()
    assert admitted(ada) == []
    for mandate in (mother, father):
        page = visitor(mandate.account).get(f"/acting/{mandate.pk}/").content.decode()
        assert "have not said the same" in page and "The record is not used" in page
    says_yes(visitor(father.account), father)
    catch_up()
    assert len(admitted(ada)) == 1
    visitor(father.account).post(f"/acting/said/{father.grants.first().pk}/take-back/")
    assert admitted(ada) == []


def test_from_the_age_of_assent_on_the_child_is_asked_too_and_never_alone(clinic, catch_up, new_patient, visitor):
    bea = new_patient()
    mandates.register_age(patient=bea, born=years_ago(15), evidence=b"x")
    with pytest.raises(GrantRefused, match=r"mandate\.child-alone"):
        services.give(patient=bea, preset="heart-disease", valid_from="2026-11", valid_until="2027-11")
    mandate = guardian(bea, "mother")
    says_yes(visitor(mandate.account), mandate)
    catch_up()
    assert admitted(bea) == []
    month = services.this_month()
    services.give(patient=bea, preset="heart-disease", valid_from=month, valid_until=later(month))
    catch_up()
    assert admitted(bea) == [mandate.grants.get().commitment]
    assert "not grown up yet" in visitor(bea.account).get("/consent/").content.decode()
    services.withdraw(grant=bea.grants.get(mandate=None))
    assert admitted(bea) == []


def test_a_child_reads_words_for_children_and_signs_those(clinic, catch_up, new_patient, visitor):
    bea = new_patient()
    mandates.register_age(patient=bea, born=years_ago(15), evidence=b"x")
    client, catching = visitor(bea.account), catch_up()
    page = client.get("/consent/give/").content.decode()
    assert catching and "we cannot take a yes from you now" in page and 'name="q1"' not in page
    mandate = guardian(bea, "mother")
    says_yes(visitor(mandate.account), mandate)
    page = client.get("/consent/give/?language=de").content.decode()
    assert "Wir fragen dich" in page and 'lang="de-x-child"' in page and 'href="?language=en"' in page
    client.post("/consent/give/?language=de", understood(language="de-x-child"))
    client.post("/consent/give/purpose/", {"preset": "heart-disease"})
    until = client.get("/consent/give/until/").context["form"].fields["until"].choices[0][0]
    client.post("/consent/give/until/", {"until": until})
    assert client.post("/consent/give/check/").status_code == 302
    catch_up()
    own = bea.grants.get(mandate=None)
    child_text = texts.text(own.text, "de-x-child")
    assert (own.status, own.opened().text_digest) == ("recorded", child_text.digest)
    assert mandate.grants.get().opened().text_digest == texts.text(own.text).digest


def test_where_no_words_for_children_were_published_they_read_what_everybody_reads(monkeypatch):
    everybody = {"digests": {"de": "00", "en": "00"}}
    monkeypatch.setattr(texts.selectors, "published", lambda version: everybody)
    assert texts.offered(texts.FIRST, child=True) == texts.offered(texts.FIRST) == ["de", "en"]


def later(month: str) -> str:
    return services.speaking.periods.shift_months(month, 12)


def test_a_small_child_is_not_asked_alone(clinic, new_patient):
    small = new_patient()
    mandates.register_age(patient=small, born=years_ago(9), evidence=b"x")
    guardian(small, "mother")
    with pytest.raises(GrantRefused, match=r"mandate\.child-alone"):
        services.give(patient=small, preset="heart-disease", valid_from="2026-11", valid_until="2027-11")


def test_coming_of_age_is_noticed_and_asks_again(clinic, catch_up, new_patient, visitor):
    cleo = new_patient()
    comes_of_age(cleo, time.time() + 3600)
    mandate = guardian(cleo, "mother")
    month = services.this_month()
    says_yes(visitor(mandate.account), mandate)
    services.give(patient=cleo, preset="heart-disease", valid_from=month, valid_until=later(month))
    catch_up()
    assert lapses.notice() == 0
    said = admitted(cleo)
    assert said and admitted(cleo, time.time() + 7200) == []  # the gate looks at the clock itself
    assert lapses.notice(datetime.now(UTC) + timedelta(hours=2)) == 2
    assert lapses.notice(datetime.now(UTC) + timedelta(hours=2)) == 0
    time_passes(cleo)
    assert not speaking.in_force(Mandate.objects.get(pk=mandate.pk))
    assert visitor(mandate.account).get(f"/acting/{mandate.pk}/yes/").status_code == 404
    page = visitor(cleo.account).get("/consent/").content.decode()
    assert "There is no yes from you now" in page and "asked again" in page
    own = services.give(patient=cleo, preset="heart-disease", valid_from=month, valid_until=later(month))
    catch_up()
    assert admitted(cleo) == [own.commitment]
    assert bytes(own.secret) != bytes(mandate.grants.get().secret)  # the guardian's receipt opens the old one


def time_passes(patient: Patient) -> None:
    """The hour until the birthday: what was signed names the same moment, so it lies in the past of both."""
    moved = timedelta(hours=2)
    comes_of_age(patient, time.time() - 1)
    for grant in patient.grants.all():
        details = replace(grant.opened(), age=patient.age)
        Grant.objects.filter(pk=grant.pk).update(
            details=canonical.encode(details), recorded_at=grant.recorded_at - 7200, made=grant.made - moved
        )


def test_a_representative_speaks_until_the_mandate_ends(clinic, catch_up, new_patient, visitor):
    dan = new_patient()
    month = services.this_month()
    with pytest.raises(PortalError, match=r"mandates\.end-missing"):
        guardian(dan, "aunt", office="representative")
    until = datetime.now(UTC).date() + timedelta(days=400)
    mandate = guardian(dan, "aunt", office="representative", until=until, presets=("heart-disease",))
    with pytest.raises(GrantRefused, match=r"mandate\.represented"):
        services.give(patient=dan, preset="heart-disease", valid_from=month, valid_until=later(month))
    form = visitor(mandate.account).get(f"/acting/{mandate.pk}/yes/").context["form"]
    assert [name for name, _ in form.fields["preset"].choices] == ["heart-disease"]
    says_yes(visitor(mandate.account), mandate)
    catch_up()
    assert admitted(dan)
    mandates.end(mandate=mandate)
    assert admitted(dan) == []
    assert lapses.notice() == 1
    with pytest.raises(PortalError, match=r"mandates\.not-in-force"):
        mandates.speak(mandate=mandate, wish=None, text="heart-2026.1", language="en")
    own = services.give(patient=dan, preset="heart-disease", valid_from=month, valid_until=later(month))
    catch_up()
    assert admitted(dan) == [own.commitment]


def test_what_a_guardian_may_not_reach(clinic, catch_up, new_patient, visitor):
    ada, mandate = (patient := child(9)), guardian(patient, "mother")
    stranger, patient = guardian(child(8), "stranger"), new_patient()
    grant = says_yes(visitor(mandate.account), mandate)
    own = [f"/acting/{mandate.pk}/{page}" for page in ("", "yes/", "check/", "no/", "passkey/")]
    places = [*own, f"/acting/said/{grant.pk}/receipt.json", f"/acting/said/{grant.pk}/take-back/"]
    for account in (stranger.account, patient.account):
        assert {visitor(account).get(place).status_code for place in places} == {404}
    for place in ("/consent/", "/consent/uses/", f"/consent/{grant.pk}/", "/mandates/"):
        assert visitor(mandate.account).get(place).status_code == 404
    assert ada.grants.get() == grant


def test_an_expired_consent_is_noticed_and_a_new_one_can_be_given(clinic, catch_up, as_patient):
    patient, client = as_patient
    month = services.this_month()
    services.give(patient=patient, preset="heart-disease", valid_from=month, valid_until=later(month))
    catch_up()
    Grant.objects.update(valid_until="2026-01")
    assert lapses.notice() == 1
    assert "There is no yes from you now" in client.get("/consent/").content.decode()
    services.give(patient=patient, preset="heart-disease", valid_from=month, valid_until=later(month))


def test_a_steward_appoints_and_ends(clinic, steward, visitor):
    patient, desk = services.enrol([["row-9"]])[0], visitor(steward)
    paper = lambda: SimpleUploadedFile("scan.pdf", b"the court's order")  # noqa: E731 - a file is read once
    known = {"patient": str(patient.pk), "office": "guardian", "username": "mother", "called": "Ada"}
    asked = f"/mandates/new/?patient={patient.pk}"
    assert asked in desk.get(f"/patients/{patient.pk}/").content.decode()
    assert f'value="{patient.pk}"' in desk.get(asked).content.decode()
    odd = desk.post("/mandates/new/", {**known, "username": "Ada's mother", "evidence": paper()})
    assert odd.status_code == 422 and b"This cannot be a sign-in name: begin with a letter or a digit" in odd.content
    early = desk.post("/mandates/new/", {**known, "evidence": paper()})
    assert early.status_code == 422 and b"mandates.age-first" in early.content
    born = {"patient": str(patient.pk), "born": years_ago(9).isoformat()}
    kept = desk.post("/mandates/age/", {**born, "evidence": paper()})
    assert kept["location"] == f"/patients/{patient.pk}/", "from there on to appointing"
    made = desk.post("/mandates/new/", {**known, "evidence": paper()})
    assert made.status_code == 200 and b"shown once" in made.content and b"mother" in made.content
    mandate = Mandate.objects.get()
    assert mandate.opened().evidence == mandates.sha256(b"the court's order").hexdigest()
    page = desk.get("/mandates/").content.decode()
    assert "mother, guardian" in page and f'href="/mandates/{mandate.pk}/end/"' in page
    asked = desk.get(f"/mandates/{mandate.pk}/end/").content.decode()
    assert "End this mandate now?" in asked and "mother, guardian" in asked
    assert speaking.in_force(mandate), "a link alone ends nothing"
    assert desk.post(f"/mandates/{mandate.pk}/end/").status_code == 302
    mandate.refresh_from_db()
    assert not speaking.in_force(mandate)
    assert desk.get(f"/mandates/{mandate.pk}/end/")["Location"] == "/mandates/", "it has ended"
    page = desk.get("/mandates/").content.decode()
    assert "Ended" in page and "Ada" not in page and f'href="/patients/{patient.pk}/"' in page
    assert desk.post("/mandates/age/", {**born, "patient": str(steward.pk), "evidence": paper()}).status_code == 422
