"""Giving, narrowing and withdrawing as a patient does it, on a real ledger."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from consent import canonical
from consent.grant import verify_grant
from consent.keys import public_bytes
from consent.receipt import SignedAcknowledgement, read_receipt, verify_acknowledgement
from portal import ledger as portal_ledger
from portal.errors import PortalError
from portal.patients import hearing, services
from portal.patients.models import Grant, HandedIn, Status, Unheard
from portal.withdrawals import acknowledging
from tests.support.understanding import understood

pytestmark = pytest.mark.django_db


def give(client, preset="heart-disease"):
    client.post("/consent/give/", understood())
    client.post("/consent/give/purpose/", {"preset": preset})
    page = client.get("/consent/give/until/")
    until = page.context["form"].fields["until"].choices[-1][0]
    client.post("/consent/give/until/", {"until": until})
    answer = client.post("/consent/give/check/")
    assert answer.status_code == 302, answer.content
    return Grant.objects.get(pk=answer["location"].strip("/").split("/")[-1])


def test_a_consent_is_pending_until_the_ledgers_event_and_recorded_after(ledger, catch_up, as_patient):
    _, client = as_patient
    catch_up()
    grant = give(client)
    page = client.get(f"/consent/{grant.pk}/").content.decode()
    assert "Pending" in page and "Your yes is recorded" not in page
    catch_up()
    grant.refresh_from_db()
    assert (grant.status, grant.recorded_at is not None) == (Status.RECORDED, True)
    assert "Your yes is recorded" in client.get(f"/consent/{grant.pk}/").content.decode()
    standing = portal_ledger.evaluate("site", "consents:Get", {"commitment": grant.commitment})
    assert standing["status"] == "active"


def test_what_is_signed_is_what_was_chosen(ledger, as_patient):
    patient, client = as_patient
    grant = give(client, "health-research")
    signed = verify_grant(bytes(grant.statement), bytes(patient.key.public), bytes(grant.signature))
    assert (signed.preset, signed.hospital, signed.valid_until) == (
        "health-research",
        "ClevelandMSP",
        grant.valid_until,
    )
    assert grant.opened().digest() == signed.details_digest


def test_withdrawing_takes_one_page_and_one_button(ledger, catch_up, as_patient):
    _, client = as_patient
    grant = give(client)
    catch_up()
    page = client.get(f"/consent/{grant.pk}/withdraw/").content.decode()
    assert "What stops" in page and "What cannot be undone" in page
    assert client.post(f"/consent/{grant.pk}/withdraw/").status_code == 302
    grant.refresh_from_db()
    assert grant.local_withdrawn_at and grant.view(10**9).status == "withdrawn"
    signed = canonical.decode_as(client.get(f"/consent/{grant.pk}/acknowledgement.json").content, SignedAcknowledgement)
    assert signed.acknowledgement.commitment == grant.commitment
    registrar = portal_ledger.identity("registrar")
    verify_acknowledgement(signed, public_bytes(registrar.key))
    catch_up()
    grant.refresh_from_db()
    assert (grant.status, grant.withdrawn_by) == (Status.WITHDRAWN, "patient")
    assert portal_ledger.evaluate("site", "consents:Get", {"commitment": grant.commitment})["status"] == "withdrawn"


def test_a_withdrawal_counts_and_is_acknowledged_while_the_ledger_is_away(ledger, catch_up, as_patient):
    patient, client = as_patient
    grant = give(client)
    catch_up()
    ledger.stop()
    try:
        assert client.post(f"/consent/{grant.pk}/withdraw/").status_code == 302
        grant.refresh_from_db()
        assert grant.is_withdrawn and grant.acknowledgement and grant.withdrawn_block is None
        assert "recording it" in client.get("/consent/").content.decode()
    finally:
        ledger.start()
    ledger.await_ready()
    services.sending.send_withdrawals([grant])  # what the sweep does ten seconds later
    catch_up()
    grant.refresh_from_db()
    assert grant.status == Status.WITHDRAWN and grant.withdrawn_block


def test_a_grant_given_while_the_ledger_is_away_waits_and_is_swept_up(ledger, catch_up, as_patient, monkeypatch):
    patient, client = as_patient
    ledger.stop()
    try:
        grant = give(client)
        assert grant.status == Status.PENDING
    finally:
        ledger.start()
    ledger.await_ready()
    monkeypatch.setattr(services.sending, "SETTLED", -services.sending.SETTLED)
    services.sending.sweep()
    catch_up()
    grant.refresh_from_db()
    assert grant.status == Status.RECORDED


def test_narrowing_replaces_the_grant(ledger, catch_up, as_patient):
    _, client = as_patient
    old = give(client, "general-research")
    catch_up()
    client.post(f"/consent/{old.pk}/narrow/", {"preset": "heart-disease"})
    client.post(f"/consent/{old.pk}/narrow/until/", {"until": old.valid_until})
    answer = client.post(f"/consent/{old.pk}/narrow/check/")
    assert answer.status_code == 302, answer.content
    catch_up()
    old.refresh_from_db()
    new = Grant.objects.get(replaces=old)
    assert (old.status, new.status, new.preset) == (Status.WITHDRAWN, Status.RECORDED, "heart-disease")
    assert bytes(new.secret) == bytes(old.secret)


def test_narrowing_cannot_widen(ledger, catch_up, as_patient):
    _, client = as_patient
    grant = give(client, "heart-disease")
    catch_up()
    answer = client.post(f"/consent/{grant.pk}/narrow/", {"preset": "general-research"})
    assert answer.status_code == 422
    with pytest.raises(Exception, match="patients.not-narrower"):
        services.narrow(grant=grant, preset="general-research", valid_until=grant.valid_until)


def test_a_second_consent_beside_a_standing_one_is_refused(ledger, as_patient):
    patient, client = as_patient
    give(client)
    with pytest.raises(Exception, match="patients.has-grant"):
        services.give(patient=patient, preset="cancer", valid_from="2026-01", valid_until="2040-01")


def test_five_hundred_and_one_grants_go_in_batches(ledger, catch_up, db):
    patients = services.enrol([(f"row-{number}",) for number in range(501)])
    now = services.this_month()
    given = services.give_all([services.Wish(patient, "heart-disease", now, now) for patient in patients])
    catch_up()
    assert Grant.objects.filter(status=Status.RECORDED).count() == 501
    assert len(set(Grant.objects.values_list("recorded_block", flat=True))) == 2
    assert len({grant.commitment for grant in given}) == 501


def test_one_bad_grant_holds_up_nobody_else(ledger, catch_up, db):
    patients = services.enrol([("a",), ("b",), ("c",)])
    wishes = [services.Wish(patient, "heart-disease", "2020-01", "2020-02") for patient in patients[:1]]
    wishes += [services.Wish(patient, "heart-disease", services.this_month(), "2040-01") for patient in patients[1:]]
    services.give_all(wishes)
    catch_up()
    statuses = sorted(Grant.objects.values_list("status", "refusal"))
    assert statuses == [("recorded", ""), ("recorded", ""), ("refused", "consents.validity-past")]


def test_a_receipt_and_its_code_withdraw_without_an_account(ledger, catch_up, as_patient, visitor):
    _, client = as_patient
    grant = give(client)
    catch_up()
    file = client.get(f"/consent/{grant.pk}/receipt.json").content
    receipt = read_receipt(file)
    stranger = visitor()
    wrong = stranger.post("/withdraw/", {"text": file.decode(), "code": "0" * 32})
    assert wrong.status_code == 422 and not HandedIn.objects.exists()
    answer = stranger.post("/withdraw/", {"text": file.decode(), "code": receipt.withdrawal_code})
    assert answer.status_code == 302, answer.content
    assert "We have your withdrawal" in stranger.get(answer["location"]).content.decode()
    assert (
        json.loads(stranger.get(answer["location"] + "acknowledgement.json").content)["acknowledgement"]["how"]
        == "code"
    )
    grant.refresh_from_db()
    assert grant.is_withdrawn
    catch_up()
    grant.refresh_from_db()
    assert (grant.status, grant.withdrawn_by) == (Status.WITHDRAWN, "code")
    assert visitor().get(answer["location"]).status_code == 404  # another browser


@pytest.mark.parametrize("cut", ["in one run", "in two runs"])
def test_a_patients_withdrawal_after_the_registrars_is_shown_as_the_patients(ledger, catch_up, as_patient, cut):
    _, client = as_patient
    grant = give(client)
    catch_up()
    arguments = {"commitment": grant.commitment}
    first = portal_ledger.submit("registrar", "consents:WithdrawByRegistrar", arguments)
    if cut == "in two runs":
        catch_up()
    assert client.post(f"/consent/{grant.pk}/withdraw/").status_code == 302
    catch_up()
    grant.refresh_from_db()
    assert (grant.status, grant.withdrawn_by) == (Status.WITHDRAWN, "patient")
    assert grant.withdrawn_block == first.block


@pytest.mark.parametrize("text", ["", "no receipt", "{}", '{"statement":"AA","key":"AA"}', "[1]"])
def test_what_is_no_receipt_is_named_so(visitor, db, text):
    answer = visitor().post("/withdraw/", {"text": text, "code": "0" * 32})
    assert answer.status_code == 422 and not HandedIn.objects.exists()


def test_each_hospital_says_that_it_has_heard_and_the_patient_reads_it(ledger, catch_up, as_patient):
    _, client = as_patient
    grant = give(client)
    catch_up()
    client.post(f"/consent/{grant.pk}/withdraw/")
    catch_up()
    assert Unheard.objects.filter(commitment=grant.commitment).exists()
    hearing.acknowledge()
    catch_up()
    ledger.submit("site", "consents:Acknowledge", {"commitments": [grant.commitment]}, "HungaryMSP")
    catch_up()
    page = client.get(f"/consent/{grant.pk}/")
    assert [one.title for one in page.context["heard"] if one.when] == ["ClevelandMSP", "HungaryMSP"]
    assert page.content.decode().count("not yet") == 2 and not Unheard.objects.exists()
    before = portal_ledger.gateway("site").head().height
    hearing.acknowledge()
    assert portal_ledger.gateway("site").head().height == before, "said once"


def test_nothing_is_acknowledged_that_still_counts_here_or_while_the_ledger_is_away(ledger, catch_up, as_patient):
    _, client = as_patient
    grant = give(client)
    catch_up()
    hearing.arrived([grant.commitment])  # as if the store had not taken the event's word
    hearing.acknowledge()
    assert portal_ledger.evaluate("site", "consents:Get", {"commitment": grant.commitment})["status"] == "active"
    client.post(f"/consent/{grant.pk}/withdraw/")
    ledger.stop()
    try:
        hearing.acknowledge()
        assert Unheard.objects.filter(commitment=grant.commitment).exists()
    finally:
        ledger.start()
    ledger.await_ready()


def test_an_answer_that_was_altered_where_it_is_kept_is_not_handed_out_as_true(ledger, catch_up, as_patient):
    _, client = as_patient
    grant = give(client)
    catch_up()
    client.post(f"/consent/{grant.pk}/withdraw/")
    grant.refresh_from_db()
    kept = canonical.decode_as(bytes(grant.acknowledgement), SignedAcknowledgement)
    later = replace(kept.acknowledgement, received_at=kept.acknowledgement.received_at + 60)
    for file, commitment in (
        (canonical.encode(replace(kept, acknowledgement=later)), grant.commitment),
        (canonical.encode(replace(kept, certificate="another")), grant.commitment),
        (b"{}", grant.commitment),
        (bytes(grant.acknowledgement), "00" * 32),
    ):
        with pytest.raises(PortalError, match=r"withdrawals\.acknowledgement-invalid"):
            acknowledging.read_back(file, commitment)
    assert acknowledging.read_back(bytes(grant.acknowledgement), grant.commitment) == kept.acknowledgement
