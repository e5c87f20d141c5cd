"""Patients, as this hospital alone knows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import uuid4

from django.conf import settings
from django.db import models

from consent import canonical
from consent.mandate import Age
from portal.patients.vault import Encrypted


class Patient(models.Model):
    """Somebody whose records this hospital keeps. `id` is a pseudonym that means nothing outside this database."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    account = models.OneToOneField(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="patient")
    sealed_records = Encrypted()  # JSON list: the ids of this patient's rows in the data sets
    sealed_age = Encrypted(null=True)  # canonical JSON of consent.mandate.Age: of one who is, or was here, a child
    enrolled = models.DateTimeField(auto_now_add=True)

    @property
    def record_ids(self) -> tuple[str, ...]:
        return tuple(json.loads(bytes(self.sealed_records)))

    @record_ids.setter
    def record_ids(self, ids: Sequence[str]) -> None:
        self.sealed_records = json.dumps(list(ids)).encode()

    @property
    def age(self) -> Age | None:
        return None if self.sealed_age is None else canonical.decode_as(bytes(self.sealed_age), Age)

    def __str__(self) -> str:
        return f"patient {self.pk}"
