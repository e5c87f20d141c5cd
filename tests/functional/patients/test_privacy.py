"""What must never show: another patient's rows, a name in a log, a secret in the database file."""

from __future__ import annotations

import io
import logging
import sqlite3
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import logs
from portal.patients import services
from portal.patients.models import Cohort, CohortEntry, Grant
from portal.reactor.models import Record

pytestmark = pytest.mark.django_db
CANARY = "Zebulon-Quackenbush"


@pytest.fixture
def given(ledger, catch_up, as_patient):
    patient, client = as_patient
    now = services.this_month()
    grant = services.give(patient=patient, preset="heart-disease", valid_from=now, valid_until="2040-01")
    catch_up()
    grant.refresh_from_db()
    return patient, client, grant


def test_another_patients_consent_is_404_in_every_form(given, new_patient, visitor):
    _, _, grant = given
    other = visitor(new_patient().account)
    for tail in (
        "",
        "withdraw/",
        "narrow/",
        "narrow/until/",
        "narrow/exactly/",
        "narrow/check/",
        "to-sign.json",
        "receipt/",
        "receipt.json",
    ):
        assert other.get(f"/consent/{grant.pk}/{tail}").status_code == 404
        assert other.post(f"/consent/{grant.pk}/{tail}").status_code in (404, 405)
    grant.refresh_from_db()
    assert not grant.is_withdrawn


def test_secrets_are_encrypted_in_the_database(given):
    patient, _, grant = given
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret, code, details FROM patients_grant WHERE commitment = %s", [grant.commitment])
        kept = [bytes(value) for value in cursor.fetchone()]
        cursor.execute("SELECT private FROM patients_key")
        kept += [bytes(value) for (value,) in cursor.fetchall()]
    for plain in (grant.secret, grant.code, grant.details, patient.key.private):
        assert all(bytes(plain) not in value for value in kept)


def test_a_name_reaches_no_log(given, visitor, new_patient):
    logs.configure()  # as a process of the portal does; an earlier test may have left other levels
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.ForeignFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        visitor().post("/accounts/login/", {"username": CANARY, "password": CANARY})
        visitor().get(f"/consent/{CANARY}/", {"name": CANARY})
        patient = new_patient(CANARY, records=(CANARY,))
        client = visitor(patient.account)
        client.get("/consent/")
        client.post("/withdraw/", {"text": CANARY, "code": CANARY})
        with pytest.raises(Exception, match=r"accounts\.taken"):
            new_patient(CANARY)
        logging.getLogger("django.request").error("failed for %s", CANARY, exc_info=ValueError(CANARY))
        services.give(patient=patient, preset="cancer", valid_from=services.this_month(), valid_until="2040-01")
    finally:
        root.removeHandler(handler)
    written = stream.getvalue()
    assert CANARY not in written
    assert "failed for %s" in written and "committed" in written


def test_a_name_reaches_no_block(given, ledger):
    patient = services.enrol([(CANARY,)])[0]
    services.open_account(patient=patient, username=CANARY)
    given = services.give(patient=patient, preset="cancer", valid_from=services.this_month(), valid_until="2040-01")
    kept = b"".join(file.read_bytes() for file in ledger.directory.glob("ledger.sqlite*"))
    assert given.commitment.encode() in kept and CANARY.encode() not in kept
    with sqlite3.connect(ledger.directory / "ledger.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_queries_do_not_grow_with_rounds(given):
    patient, client, grant = given

    def counted(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(path).status_code == 200
        return len(queries)

    study = uuid.uuid4()
    add_round(study, 1, patient, grant)
    few = counted("/consent/uses/")
    for number in range(2, 30):
        add_round(study, number, patient, grant)
    assert counted("/consent/uses/") == few <= 12
    assert counted("/consent/") <= 9  # with what others say for the patient, and the patient for others


def add_round(study: uuid.UUID, number: int, patient, grant: Grant) -> None:
    cohort = Cohort.objects.create(
        study=study, round=number, attempt=1, kind="training", root=f"{number:064x}", seed=b"s" * 32
    )
    CohortEntry.objects.create(cohort=cohort, patient=patient, grant=grant, key=b"k" * 32)
    body = {"root": cohort.root, "dataset": "ClevelandMSP/heart"}
    Record.objects.create(key=f"studies/cohort/{study}/{number}/1/ClevelandMSP", body=body, block=1, tx_id="t")
