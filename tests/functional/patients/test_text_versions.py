"""A newer text: what changed is shown, everybody is asked again, and nobody's old yes is moved to it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from consent import duo
from consent.grant import verify_grant
from consent.occasion import Occasion
from ledger.errors import Refused
from portal import ledger as portal_ledger
from portal.errors import PortalError
from portal.grid.stores import Consents
from portal.patients import leaving, sending, services, texts
from portal.patients.models import Grant, Status
from tests.support.understanding import NEW, two_versions, understood
from tests.unit.consent.examples import HEART, study
from training.site.gate import Gate

pytestmark = pytest.mark.django_db


@pytest.fixture
def series(ledger, catch_up, tmp_path, monkeypatch):
    """The texts `<series>.1` and `.2` in a folder of their own, the first of them published."""
    first, second = two_versions(tmp_path)
    monkeypatch.setattr(texts, "WORDING", tmp_path)
    ledger.submit("steward", "consents:PublishText", texts.publication(first))
    catch_up()
    return first, second


def publish(ledger, catch_up, version):
    done = ledger.submit("steward", "consents:PublishText", texts.publication(version))
    catch_up()
    return done["published"]


def given(new_patient, catch_up):
    patient = new_patient()
    now = services.this_month()
    grant = services.give(patient=patient, preset="heart-disease", valid_from=now, valid_until="2040-01")
    catch_up()
    grant.refresh_from_db()
    assert grant.status == Status.RECORDED
    return patient, grant


def admitted(patient, when, agreed):
    gate = Gate(study(duo.DS, [HEART]), when, 10**9, Occasion("s", agreed))
    return bool(gate.admit(Consents().standings([str(patient.pk)])))


def test_a_newer_text_asks_again_and_upgrades_nobody(ledger, catch_up, series, new_patient, visitor):
    first, second = series
    assert texts.current() == first
    patient, old = given(new_patient, catch_up)
    client = visitor(patient.account)
    assert client.get("/consent/new-text/").status_code == 302 and client.get("/consent/give/").status_code == 302
    since = publish(ledger, catch_up, second)
    assert texts.current() == second
    assert (admitted(patient, since, since - 1), admitted(patient, since, since)) == (True, False)

    assert "There is a newer text" in client.get("/consent/").content.decode()
    page = client.get("/consent/new-text/").content.decode()
    assert NEW in page and "counts for studies that had begun before" in page

    assert "New words." in client.get("/consent/give/").content.decode()
    client.post("/consent/give/", understood(second))
    assert client.get("/consent/give/purpose/").context["form"].initial == {"preset": "heart-disease"}
    client.post("/consent/give/purpose/", {"preset": "heart-disease"})
    until = client.get("/consent/give/until/").context["form"].fields["until"].choices[0][0]
    client.post("/consent/give/until/", {"until": until})
    assert client.post("/consent/give/check/").status_code == 302
    catch_up()
    old.refresh_from_db()
    new = Grant.objects.get(replaces=old)
    assert (old.text, old.status, new.text, new.status) == (first, Status.WITHDRAWN, second, Status.RECORDED)
    words = verify_grant(bytes(new.statement), bytes(patient.key.public), bytes(new.signature))
    assert words.text == second and new.opened().text_digest == texts.text(second).digest
    assert admitted(patient, new.recorded_at, since + 1)


def test_a_newer_text_takes_back_no_no_to_a_study(ledger, catch_up, series, new_patient, visitor):
    _, second = series
    patient, old = given(new_patient, catch_up)
    study_left = "6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11"
    old = leaving.leave(grant=old, study=study_left)
    catch_up()
    publish(ledger, catch_up, second)
    client = visitor(patient.account)
    client.post("/consent/give/", understood(second))
    client.post("/consent/give/purpose/", {"preset": "heart-disease"})
    until = client.get("/consent/give/until/").context["form"].fields["until"].choices[0][0]
    client.post("/consent/give/until/", {"until": until})
    assert study_left in client.get("/consent/give/check/").content.decode()  # "Never in"
    assert client.post("/consent/give/check/").status_code == 302
    assert leaving.left(Grant.objects.get(replaces=old).opened().limits) == {study_left}


def test_one_study_is_left_and_less_is_allowed_without_agreeing_to_a_newer_text(
    ledger, catch_up, series, new_patient, visitor
):
    first, second = series
    patient, old = given(new_patient, catch_up)
    since = publish(ledger, catch_up, second)
    client = visitor(patient.account)
    assert client.get(f"/consent/{old.pk}/narrow/").status_code == 200
    ledger.stop()
    new = leaving.leave(grant=old, study="6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11")
    newest = services.narrow(grant=new, preset="heart-disease", valid_until=services.this_month())
    ledger.start()
    ledger.await_ready()
    Grant.objects.update(local_withdrawn_at=F("local_withdrawn_at") - timedelta(minutes=1))
    Grant.objects.update(made=F("made") - timedelta(minutes=1))
    sending.sweep()
    catch_up()
    for one in (old, new, newest):
        one.refresh_from_db()
    assert [one.status for one in (old, new, newest)] == [Status.WITHDRAWN, Status.WITHDRAWN, Status.RECORDED]
    assert {one.text for one in (old, new, newest)} == {first}, "nobody is moved to the newer text"
    assert leaving.left(newest.opened().limits) == {"6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11"}
    when = newest.recorded_at + 1
    assert (admitted(patient, when, since - 1), admitted(patient, when, since)) == (True, False)


def test_which_grant_it_replaces_is_told_only_where_that_is_needed(ledger, catch_up, series, new_patient, monkeypatch):
    _, second = series
    sent, submit = [], portal_ledger.submit
    monkeypatch.setattr(portal_ledger, "submit", lambda *said, **more: sent.append(said) or submit(*said, **more))
    _, old = given(new_patient, catch_up)
    new = leaving.leave(grant=old, study="6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11")
    publish(ledger, catch_up, second)
    leaving.leave(grant=new, study="7f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11")
    told = [said[2].get("replaces") for said in sent if said[1] == "consents:Record"]
    assert told == [None, None, None, new.commitment]


def test_a_grant_under_a_superseded_text_is_refused_by_the_ledger(ledger, catch_up, series, new_patient):
    first, second = series
    publish(ledger, catch_up, second)
    wish = services.Wish(new_patient(), "heart-disease", services.this_month(), "2040-01")
    with pytest.raises(Refused):
        services.give_all([wish], text=first)
    assert list(Grant.objects.values_list("status", "refusal")) == [("refused", "consents.text-superseded")]


def test_somebody_who_read_the_old_text_reads_the_new_one(ledger, catch_up, series, new_patient, visitor):
    first, second = series
    client = visitor(new_patient().account)
    client.post("/consent/give/", understood(first))
    assert client.get("/consent/give/purpose/").status_code == 200
    publish(ledger, catch_up, second)
    assert client.get("/consent/give/purpose/")["location"] == "/consent/give/"


def test_a_text_that_stands_elsewhere_alone_is_asked_for(ledger, catch_up, series):
    first, second = series
    publish(ledger, catch_up, second)
    (texts.WORDING / f"{second}.en.md").unlink()
    texts.version_files.cache_clear()
    with pytest.raises(Exception, match=f"patients.text-missing.*{second}"):
        texts.current()


def test_a_text_is_published_once_it_is_easy_to_read(ledger, catch_up, series, tmp_path):
    _, second = series
    file = tmp_path / f"{second}.en.md"
    easy = file.read_text()
    file.write_text(
        easy + "\nPseudonymised information concerning participating individuals is computationally analysed.\n" * 20
    )
    texts.version_files.cache_clear()
    with pytest.raises(PortalError, match="patients.text-hard"):
        texts.publish(second)
    file.write_text(easy)
    texts.version_files.cache_clear()
    texts.publish(second)
    catch_up()
    assert texts.current() == second
    with pytest.raises(PortalError, match="patients.text-unknown"):
        texts.publish("nothing-1")


def test_what_is_new_since_an_older_text_adds_up(series, tmp_path):
    first, second = series
    third = first.removesuffix(".1") + ".3"
    source = (tmp_path / f"{second}.en.md").read_text()
    again = source.replace(f'id = "{second}"', f'id = "{third}"').replace(
        f'supersedes = "{first}"', f'supersedes = "{second}"'
    )
    (tmp_path / f"{third}.en.md").write_text(again.replace(NEW, "And sounds."))
    assert texts.versions() == [first, second, third]
    assert texts.changes(first, third, "en") == ["And sounds.", NEW]
