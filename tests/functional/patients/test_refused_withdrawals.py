"""A withdrawal that the ledger refuses counts here, is not sent for ever, and waits where a steward sees it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from portal import ledger as portal_ledger
from portal.patients import sending, services
from portal.patients.models import Status

pytestmark = pytest.mark.django_db
PAGE = "/withdrawals/"


@pytest.fixture
def recorded(ledger, catch_up, as_patient, monkeypatch):
    """A recorded grant, and a sweep that takes even what was made just now."""
    monkeypatch.setattr(sending, "SETTLED", -timedelta(seconds=10))
    patient, _ = as_patient
    now = services.this_month()
    grant = services.give(patient=patient, preset="heart-disease", valid_from=now, valid_until="2040-01")
    catch_up()
    grant.refresh_from_db()
    return grant


def withdrawn_with(grant, signature):
    """The grant withdrawn here, with `signature` in the store, and swept once."""
    services.take_back(grant)
    good = bytes(grant.withdrawal_signature)
    if signature is not None:
        grant.withdrawal_signature = signature
        grant.save(update_fields=["withdrawal_signature"])
    sending.sweep()
    grant.refresh_from_db()
    return good


def test_it_counts_here_is_left_alone_by_the_sweep_and_is_sent_when_a_steward_asks(
    recorded, catch_up, as_patient, steward, visitor
):
    good = withdrawn_with(recorded, bytes(recorded.signature))  # a signature, over something else
    assert (recorded.withdrawal_refusal, recorded.is_withdrawn) == ("consents.withdrawal-invalid", True)
    assert recorded.view(10**9).status == "withdrawn"
    _, patient = as_patient
    assert "the hospital looks into recording it" in patient.get("/consent/").content.decode()
    desk = visitor(steward)
    page = desk.get(PAGE).content.decode()
    assert recorded.commitment in page and "consents.withdrawal-invalid" in page
    assert str(recorded.patient_id) not in page and recorded.patient.account.username not in page

    recorded.withdrawal_signature = good  # the cause is mended
    recorded.save(update_fields=["withdrawal_signature"])
    sending.sweep()
    catch_up()
    recorded.refresh_from_db()
    assert recorded.withdrawn_block is None, "the sweep sent a withdrawal that was refused for good"
    assert desk.post(PAGE).status_code == 302
    catch_up()
    recorded.refresh_from_db()
    assert (recorded.status, recorded.withdrawn_by, recorded.withdrawal_refusal) == (Status.WITHDRAWN, "patient", "")
    assert "None." in desk.get(PAGE).content.decode()


def test_what_is_refused_again_stays_on_the_page(recorded, steward, visitor):
    withdrawn_with(recorded, bytes(recorded.signature))
    desk = visitor(steward)
    desk.post(PAGE)
    assert recorded.commitment in desk.get(PAGE).content.decode()


def test_a_refusal_of_whoever_sent_it_is_sent_again_by_the_sweep(recorded, catch_up, settings, ledger, tmp_path):
    own = settings.NODE
    ledger.authorities[own.msp].issue("registrar", []).save(tmp_path / "roleless")
    portal_ledger.close()
    settings.NODE = replace(own, identities={**own.identities, "registrar": tmp_path / "roleless"})
    withdrawn_with(recorded, None)
    assert recorded.withdrawal_refusal == "" and recorded.withdrawn_block is None
    portal_ledger.close()
    settings.NODE = own
    sending.sweep()
    catch_up()
    recorded.refresh_from_db()
    assert recorded.status == Status.WITHDRAWN


def test_only_stewards_reach_the_page(as_patient, visitor, db):
    _, patient = as_patient
    assert patient.get(PAGE).status_code == 404
    assert visitor().get(PAGE)["location"].startswith("/accounts/login/")
