"""What the ledger must not hold: in which file of this hospital a data set's records lie, and how they are split."""

from __future__ import annotations

from django.db import models


class Source(models.Model):
    """One data set version's file (hospital). Kept before the version is registered; `raw`: hex SHA-256 of the file.

    `seed`: which patients are held out for evaluation follows from it and the file alone.
    """

    dataset = models.CharField(max_length=130)
    version = models.PositiveIntegerField()
    file = models.CharField(max_length=255)
    raw = models.CharField(max_length=64)
    seed = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("dataset", "version"), name="one_source_a_version")]

    def __str__(self) -> str:
        return f"{self.dataset} version {self.version}"
