"""A withdrawal without an account: it gets through at a hospital and at the institute, which keeps nothing of it."""

from __future__ import annotations

import io
import json
import logging
import secrets
from base64 import b64decode
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection
from msgspec.structs import replace

from consent import canonical
from consent import grant as grants
from consent.encoding import from_base64url, to_base64url
from consent.keys import public_bytes
from consent.receipt import SignedAcknowledgement, verify_acknowledgement
from portal import ledger as portal_ledger
from portal import logs
from portal.config import Peer
from portal.patients import sending, services, signing
from portal.patients.models import Grant, HandedIn, Key
from portal.withdrawals import handed as handing
from tests.support.understanding import understood

pytestmark = pytest.mark.django_db
PEER = Peer("cleveland", "ClevelandMSP", "Cleveland Clinic", "http://cleveland.localhost:8001")


@pytest.fixture
def recorded(ledger, catch_up, new_patient):
    """A recorded consent, with what its patient holds: the receipt's text and the code."""
    now = services.this_month()
    grant = services.give(patient=new_patient(), preset="heart-disease", valid_from=now, valid_until="2040-01")
    catch_up()
    grant.refresh_from_db()
    return grant, receipt(grant), bytes(grant.code).hex()


def receipt(grant: Grant) -> str:
    key = bytes(Key.objects.get(patient=grant.patient).public)
    return canonical.encode({"statement": to_base64url(bytes(grant.statement)), "key": to_base64url(key)}).decode()


def stranger(ledger, number: int = 0) -> dict[str, str]:
    """A consent that no ledger knows, which anybody can make, with its code."""
    patient = services.enrol([(f"made-up-{number}",)])[0]
    wish = services.Wish(patient, "heart-disease", services.this_month(), "2040-01")
    made = services.prepare(wish, services.texts.text(services.texts.FIRST))  # signed, never saved
    return {"text": receipt(made), "code": bytes(made.code).hex()}


@pytest.fixture
def at_hub(settings, identities, monkeypatch):
    """Turn this process into the hub; its own database is the tests' one, so what it writes is compared row by row."""

    def turn():
        portal_ledger.close()
        settings.NODE = replace(identities["hub"], ledger=settings.NODE.ledger, peers=(PEER,))
        settings.ROOT_URLCONF, settings.ALLOWED_HOSTS = "portal.urls.hub", ["hub.localhost"]

    yield turn
    portal_ledger.close()


def rows() -> dict[str, list[str]]:
    """Every row of every table, as it lies in the database."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            found[table] = sorted(map(repr, cursor.fetchall()))
    return found


@contextmanager
def log_lines():
    logs.configure()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.ForeignFormatter())
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def answer_in(page: str) -> SignedAcknowledgement:
    data = page.split("data:application/json;base64,")[1].split('"', maxsplit=1)[0]
    return canonical.decode_as(b64decode(data), SignedAcknowledgement)


def test_the_institute_passes_it_on_at_once_with_its_signed_word_and_keeps_nothing(recorded, at_hub, visitor, catch_up):
    grant, text, code = recorded
    at_hub()
    client = visitor(host="hub.localhost")
    assert "keep nothing of it" in client.get("/withdraw/").content.decode()
    before = rows()
    with log_lines() as log:
        answer = client.post("/withdraw/", {"text": text, "code": code}, headers={"user-agent": "Canary/1"})
    page = answer.content.decode()
    assert answer.status_code == 200 and "It is recorded in the shared book" in page
    assert rows() == before, "the institute's database holds something of it"
    assert not [name for name in client.cookies if "session" in name]
    statement = json.loads(text)["statement"]
    for trace in (statement, code, to_base64url(bytes.fromhex(code)), grant.commitment, "127.0.0.1", "Canary"):
        assert trace not in log.getvalue()
    signed = answer_in(page)
    said, runner = signed.acknowledgement, portal_ledger.identity("runner")
    verify_acknowledgement(signed, public_bytes(runner.key))
    assert (said.commitment, said.received_by, said.how) == (grant.commitment, "InstituteMSP", "code")
    standing = portal_ledger.evaluate("auditor", "consents:Get", {"commitment": grant.commitment})
    assert (standing["status"], standing["withdrawn_by"]) == ("withdrawn", "code")
    assert said.received_at <= standing["withdrawn"]


def test_while_the_ledger_is_away_the_institute_says_that_nothing_is_kept_and_what_to_do(
    recorded, at_hub, visitor, ledger, monkeypatch
):
    grant, text, code = recorded
    at_hub()
    monkeypatch.setattr("portal.withdrawals.services.PATIENCE", 1.0)
    client = visitor(host="hub.localhost")
    ledger.stop()
    try:
        before = rows()
        answer = client.post("/withdraw/", {"text": text, "code": code})
        page = answer.content.decode()
        assert answer.status_code == 503 and rows() == before
        assert "not recorded yet" in page and 'href="http://cleveland.localhost:8001/withdraw/"' in page
        assert answer_in(page).acknowledgement.commitment == grant.commitment
        again = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("text", "code")}
        again["text"] = again["text"].replace("&quot;", '"')
    finally:
        ledger.start()
    for _ in range(60):
        answer = client.post("/withdraw/", again)
        if answer.status_code == 200:
            break
    assert "It is recorded in the shared book" in answer.content.decode()


def test_a_signature_does_as_well_as_the_code(recorded, visitor, catch_up):
    grant, text, _ = recorded
    own = signing.open_key(Key.objects.get(patient=grant.patient))
    signature = to_base64url(grants.sign_withdrawal(bytes.fromhex(grant.commitment), own))
    other = to_base64url(
        grants.sign_withdrawal(bytes.fromhex(grant.commitment), ec.generate_private_key(ec.SECP256R1()))
    )
    assert visitor().post("/withdraw/", {"text": text, "code": other}).status_code == 422
    answer = visitor().post("/withdraw/", {"text": text, "code": signature})
    assert answer.status_code == 302
    row = HandedIn.objects.get()
    assert row.code is None and bytes(row.signature) == from_base64url(signature)
    catch_up()
    grant.refresh_from_db()
    assert (grant.is_withdrawn, grant.withdrawn_by) == (True, "patient")


def test_what_is_withdrawn_already_is_answered_and_not_sent_for_ever(recorded, visitor, catch_up, monkeypatch):
    grant, text, code = recorded
    services.withdraw(grant=grant)
    catch_up()
    sent = []
    monkeypatch.setattr(sending, "withdraw", lambda *given: sent.append(given))
    monkeypatch.setattr(sending, "SETTLED", -sending.SETTLED)
    answer = visitor().post("/withdraw/", {"text": text, "code": code}, follow=True)
    assert "It is recorded in the shared book" in answer.content.decode()
    sending.sweep()
    assert sent == []


@pytest.mark.parametrize("node", ["hospital", "hub"])
def test_tries_are_limited_and_a_real_withdrawal_never_is(recorded, ledger, visitor, at_hub, node):
    grant, text, code = recorded
    unknown = [stranger(ledger, number) for number in range(2)]
    client = visitor()
    if node == "hub":
        at_hub()
        client = visitor(host="hub.localhost")
    wrong = {"text": text, "code": "0" * 32}
    taken = client.post("/withdraw/", unknown[0]).status_code  # a tombstone: anybody can make one
    tries = [client.post("/withdraw/", wrong).status_code for _ in range(handing.TRIES.most)]
    assert (taken in (200, 302), tries) == (True, [422] * (handing.TRIES.most - 1) + [429])
    waits = client.post("/withdraw/", unknown[1])
    assert waits.status_code == 429 and 0 < int(waits["retry-after"]) <= handing.TRIES.seconds
    assert "please wait 10 minutes" in waits.content.decode()
    assert client.post("/withdraw/", {"text": text, "code": code}).status_code in (200, 302), "a real one waits"
    standing = portal_ledger.evaluate(handing_role(node), "consents:Get", {"commitment": grant.commitment})
    assert standing["status"] == "withdrawn"


def handing_role(node: str) -> str:
    return "site" if node == "hospital" else "auditor"


def test_a_file_that_is_no_receipt_by_its_size_is_not_read(visitor, db):
    from django.core.files.uploadedfile import SimpleUploadedFile

    file = SimpleUploadedFile("receipt.json", secrets.token_bytes(70_000))
    answer = visitor().post("/withdraw/", {"file": file, "code": "0" * 32})
    assert answer.status_code == 422 and "too big to be a receipt" in answer.content.decode()


@pytest.mark.parametrize(
    ("text", "said"), [("a\0b", "take out the signs that nobody can see"), ("x" * 70_000, "(70000 signs)")]
)
def test_what_was_pasted_and_cannot_be_read_is_not_called_missing(visitor, db, text, said):
    page = visitor().post("/withdraw/", {"text": text, "code": "ab" * 16}).content.decode()
    assert said in page and "Choose your receipt file" not in page


def test_giving_is_limited_and_withdrawing_is_not(ledger, as_patient, monkeypatch):
    from portal.limits import Limit
    from portal.patients import access

    monkeypatch.setattr(access, "GIVING", Limit("giving", 1, 3600))
    _, client = as_patient

    def give() -> int:
        client.post("/consent/give/", understood())
        client.post("/consent/give/purpose/", {"preset": "heart-disease"})
        until = client.get("/consent/give/until/").context["form"].fields["until"].choices[0][0]
        client.post("/consent/give/until/", {"until": until})
        return client.post("/consent/give/check/").status_code

    assert give() == 302
    grant = Grant.objects.get()
    assert client.post(f"/consent/{grant.pk}/withdraw/").status_code == 302
    waits = give()
    assert waits == 429
    grant.refresh_from_db()
    assert grant.is_withdrawn and Grant.objects.count() == 1
