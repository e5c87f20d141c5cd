"""Who signs for a patient, and with which key: the patient, or whoever speaks for them under a mandate."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models

import consent.mandate
from consent import canonical
from portal.patients.models.people import Patient
from portal.patients.vault import Encrypted


class Key(models.Model):
    """The key that this hospital holds for the patient, to sign with where there is no passkey.

    `private`: PKCS 8, DER; `public`: the 65-byte point.
    """

    patient = models.OneToOneField(Patient, models.CASCADE, related_name="key")
    private = Encrypted()
    public = models.BinaryField()

    def __str__(self) -> str:
        return f"key of {self.patient_id}"


class KeyKind(models.TextChoices):
    """What a key of one's own is, as the ledger calls what it signed."""

    PASSKEY = "passkey", "a passkey"
    DEVICE = "device-key", "a key in a file"


class Passkey(models.Model):
    """A passkey of the patient, or of somebody who speaks for them under `mandate`: one at a time each.

    `kind`: or a key that the patient keeps in a file; its `credential` is the digest of its point, its counter 0.
    `public`: the 65-byte point. `counter`: the highest seen. `lost`: when the registrar was told so; from then on it
    signs nothing. `copied`: when its counter went back. Whoever speaks for two patients has two, so that no endorser
    sees one key for both.
    """

    patient = models.ForeignKey(Patient, models.CASCADE, related_name="passkeys")
    mandate = models.ForeignKey("Mandate", models.CASCADE, null=True, related_name="passkeys")
    kind = models.CharField(max_length=10, choices=KeyKind.choices, default=KeyKind.PASSKEY)
    credential = models.BinaryField(unique=True)
    public = models.BinaryField()
    counter = models.BigIntegerField()
    registered = models.DateTimeField(auto_now_add=True)
    lost = models.DateTimeField(null=True)
    copied = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-registered",)
        constraints = [
            models.UniqueConstraint(
                fields=("patient",), condition=models.Q(lost=None, mandate=None), name="one_own_passkey_at_a_time"
            ),
            models.UniqueConstraint(
                fields=("mandate",), condition=models.Q(lost=None), name="one_mandate_passkey_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"passkey of {self.patient_id}"


class Draft(models.Model):
    """A consent that waits for the passkey's touch: what will be signed (JSON). The newest of a signer counts."""

    patient = models.ForeignKey(Patient, models.CASCADE, related_name="drafts")
    mandate = models.ForeignKey("Mandate", models.CASCADE, null=True, related_name="drafts")  # None: the patient signs
    sealed = Encrypted()
    made = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("patient",), condition=models.Q(mandate=None), name="one_own_draft"),
            models.UniqueConstraint(fields=("mandate",), name="one_mandate_draft"),
        ]

    def __str__(self) -> str:
        return f"draft of {self.patient_id}"


class Mandate(models.Model):
    """Somebody's right to speak for a patient, as a steward saw it, with the key they sign with for this patient alone.

    `called`: how they know the patient. `sealed`: canonical JSON of consent.mandate.Mandate. `ended`: before its time.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="mandates")
    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="mandates")
    called = Encrypted()
    sealed = Encrypted()
    private = Encrypted()
    public = models.BinaryField()
    made = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        ordering = ("made",)

    @property
    def name(self) -> str:
        return bytes(self.called).decode()

    @property
    def ended_at(self) -> int | None:
        return None if self.ended is None else int(self.ended.timestamp())

    def opened(self) -> consent.mandate.Mandate:
        return canonical.decode_as(bytes(self.sealed), consent.mandate.Mandate)

    def __str__(self) -> str:
        return f"mandate {self.pk}"
