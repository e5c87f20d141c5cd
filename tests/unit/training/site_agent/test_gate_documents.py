"""The gate over all documents of a patient: one no closes, however late it was recorded, until it is withdrawn."""

from __future__ import annotations

from typing import Any

import pytest

from consent import duo
from consent.limits import Denial, Limits
from tests.unit.consent.examples import CANCER, HEART, IN_2026, Patient, study
from training.site.gate import Gate
from training.site.stores import Standing

PATIENT = Patient()
GATE = Gate(study(duo.DS, [HEART]), IN_2026, height=10)


def standing(number: int, denied: tuple[Denial, ...] = (), **changed: Any) -> Standing:
    plain = {
        "patient": "p",
        "commitment": f"{number:064}",
        "view": PATIENT.view(details=PATIENT.details(limits=Limits(denied=denied))),
        "attestation": "portal-key",
        "secret": PATIENT.secret,
        "recorded_block": 5,
    }
    return Standing(**(plain | changed))


def test_of_several_grants_the_smallest_commitment_lets_a_patient_in_once() -> None:
    assert [item.commitment for item in GATE.admit([standing(2), standing(1)])] == [f"{1:064}"]


@pytest.mark.parametrize(
    ("other", "admitted"),
    [
        (standing(2, (Denial(),)), False),
        (standing(2, (Denial(),), recorded_block=11), False),  # after the round was opened
        (standing(2, (Denial(),), recorded_block=None), False),  # on its way to the ledger
        (standing(2, (Denial(),), attestation="hospital-attested"), False),
        (standing(2, (Denial(data_until="2019-12-31"),)), False),  # records carry no dates here
        (standing(2, (Denial(diseases=(CANCER,)),)), True),
        (standing(2, (Denial(),), withdrawn_block=6, withdrawn_by="registrar"), True),
        (standing(2, (Denial(),), patient="q"), True),
    ],
)
def test_a_no_in_another_document_of_the_patient_counts_until_it_is_withdrawn(other: Standing, admitted: bool) -> None:
    assert ("p" in {item.patient for item in GATE.admit([standing(1), other])}) == admitted


def test_a_grant_that_does_not_reach_back_needs_dates_that_records_do_not_carry() -> None:
    narrow = PATIENT.view(details=PATIENT.details(retrospective=False))
    assert GATE.admit([standing(1, view=narrow)]) == []
