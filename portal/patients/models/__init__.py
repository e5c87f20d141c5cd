"""What a hospital alone keeps: patients, their keys and opened grants, and who was in which cohort."""

from __future__ import annotations

from portal.patients.models.cohorts import Cohort, CohortEntry
from portal.patients.models.grants import Grant, HandedIn, Status, Unheard
from portal.patients.models.people import Patient
from portal.patients.models.signers import Draft, Key, KeyKind, Mandate, Passkey

__all__ = [
    "Cohort",
    "CohortEntry",
    "Draft",
    "Grant",
    "HandedIn",
    "Key",
    "KeyKind",
    "Mandate",
    "Passkey",
    "Patient",
    "Status",
    "Unheard",
]
