"""What whoever speaks for a patient sees of the record's use, and can prove: what rests on their own word."""

from __future__ import annotations

import secrets
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from consent.cohort import cohort_key, pad_keys
from consent.cohort_tree import CohortTree
from consent.proof import read_proof
from portal.patients import mandates, sending, services
from portal.patients.models import Cohort, CohortEntry, Grant, Mandate, Patient, Status
from portal.reactor.models import Record
from tests.functional.patients.test_speaking import AGES, child, guardian, says_yes

pytestmark = pytest.mark.django_db
STUDY, BUCKET = uuid.UUID("6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11"), "20-49"


def take_part(number: int, grant: Grant | None) -> None:
    """A round of this hospital, as its store and the ledger keep it; with the patient in it on the word of `grant`."""
    seed, keys = secrets.token_bytes(32), [secrets.token_bytes(32) for _ in range(20)]
    if grant is not None:
        keys[0] = cohort_key(bytes(grant.secret), STUDY, number)
    root = CohortTree(pad_keys(keys, seed, BUCKET)).root.hex()
    row = Cohort.objects.create(
        study=STUDY, round=number, attempt=1, kind="training", root=root, bucket=BUCKET, seed=seed
    )
    strangers = Patient.objects.filter(mandates=None)[: 20 if grant is None else 19]
    members = [(stranger, None) for stranger in strangers]
    members = members if grant is None else [(grant.patient, grant), *members]
    CohortEntry.objects.bulk_create(
        CohortEntry(cohort=row, patient=patient, grant=own, key=key)
        for (patient, own), key in zip(members, keys, strict=True)
    )
    body = {"root": root, "dataset": "ClevelandMSP/heart"}
    Record.objects.create(key=f"studies/cohort/{STUDY}/{number}/1/ClevelandMSP", body=body, block=1, tx_id="t")


@pytest.fixture
def both(ledger, settings, catch_up, visitor):
    """A child whose mother and father have both said yes."""
    settings.NODE = replace(settings.NODE, ages=AGES)
    ada, _ = child(9), services.enrol([(f"row {number}",) for number in range(20)])
    mother, father = guardian(ada, "mother"), guardian(ada, "father")
    for one in (mother, father):
        says_yes(visitor(one.account), one)
    recorded(catch_up)
    return mother, father


def recorded(catch_up, seconds: float = 60) -> None:
    """Wait until all that was said stands here as recorded; what a busy ledger did not take is sent again."""
    end = time.monotonic() + seconds
    catch_up()
    while waiting := Grant.objects.filter(status=Status.PENDING):
        assert time.monotonic() < end, f"{len(waiting)} grants are still on their way"
        sending.send_grants(list(waiting))
        catch_up()


def test_each_sees_and_proves_the_rounds_that_rest_on_their_own_word(both, visitor):
    mother, father = both
    take_part(1, mother.grants.get())
    take_part(2, father.grants.get())
    take_part(3, None)
    client = visitor(mother.account)
    place = f"/acting/{mother.pk}/uses/"
    (one,) = client.get(place).context["studies"]
    assert [(round_.number, round_.used) for round_ in one.rounds] == [(1, True), (3, False)]
    for number, claim in ((1, "present"), (3, "absent")):
        proof = read_proof(client.get(f"{place}{STUDY}/{number}/proof.json").content)
        assert (proof.claim, proof.details) == (claim, mother.grants.get().opened())
    assert client.get(f"{place}{STUDY}/2/proof.json").status_code == 404
    assert client.get(f"{place}{uuid.uuid4()}/1/proof.json").status_code == 404
    (his,) = visitor(father.account).get(f"/acting/{father.pk}/uses/").context["studies"]
    assert [(round_.number, round_.used) for round_ in his.rounds] == [(2, True), (3, False)]


def test_nobody_sees_rounds_from_before_or_after_their_time_or_of_another_mandate(both, visitor):
    mother, father = both
    for number in (1, 2, 3):
        take_part(number, mother.grants.get() if number == 2 else None)
    mandates.end(mandate=mother)
    for number, hours in ((1, -3), (2, -1), (3, 1)):
        Cohort.objects.filter(round=number).update(frozen=datetime.now(UTC) + timedelta(hours=hours))
    Mandate.objects.update(made=datetime.now(UTC) - timedelta(hours=2))
    place = f"/acting/{mother.pk}/uses/"
    (one,) = visitor(mother.account).get(place).context["studies"]
    assert [round_.number for round_ in one.rounds] == [2]
    other = visitor(father.account)
    assert (
        "not been used in any study because of what you said"
        in other.get(f"/acting/{father.pk}/uses/").content.decode()
    )
    for path in (place, f"{place}{STUDY}/2/proof.json"):
        assert other.get(path).status_code == 404
