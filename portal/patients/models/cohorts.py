"""Who was in which cohort."""

from __future__ import annotations

from django.db import models

from portal.patients.models.grants import Grant
from portal.patients.models.people import Patient
from portal.patients.vault import Encrypted


class Cohort(models.Model):
    """A frozen cohort of this hospital: who is in it stands here before its root stands on the ledger.

    `lost`: a restored store found the root on the ledger and not the cohort here; it must never be made again.
    """

    class Kind(models.TextChoices):
        TRAINING = "training"
        EVALUATION = "evaluation"

    study = models.UUIDField()
    round = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    dataset = models.CharField(max_length=128, blank=True)
    version = models.PositiveIntegerField(default=1)
    root = models.CharField(max_length=64, blank=True)
    bucket = models.CharField(max_length=24, blank=True)
    seed = Encrypted(null=True)
    opened_block = models.PositiveBigIntegerField(default=0)
    lost = models.BooleanField(default=False)
    frozen = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("study", "round", "attempt")
        constraints = [models.UniqueConstraint(fields=("study", "round", "attempt"), name="one_cohort_an_attempt")]

    def __str__(self) -> str:
        return f"cohort {self.study}/{self.round}/{self.attempt}"


class CohortEntry(models.Model):
    """One patient in a cohort. `key`: the 32-byte cohort key that stands in the tree; `grant`: what permitted it."""

    cohort = models.ForeignKey(Cohort, models.CASCADE, related_name="entries")
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="uses")
    grant = models.ForeignKey(Grant, models.PROTECT, null=True)
    key = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("cohort", "patient"), name="once_a_cohort")]

    def __str__(self) -> str:
        return f"entry {self.pk}"
