"""Consents as they were signed, and withdrawals handed in."""

from __future__ import annotations

from uuid import uuid4

from django.db import models

from consent import canonical
from consent.decide import ConsentView
from consent.grant import Details
from consent.versions import Lapse
from portal.patients.models.people import Patient
from portal.patients.models.signers import Key, Mandate, Passkey
from portal.patients.vault import Encrypted, reader
from training.site.gate import BY_PATIENT

read_details = reader(lambda opened: canonical.decode_as(opened, Details))


class Status(models.TextChoices):
    PENDING = "pending", "on its way to the ledger"
    RECORDED = "recorded", "recorded"
    WITHDRAWN = "withdrawn", "withdrawn"
    REFUSED = "refused", "refused by the ledger"


class Grant(models.Model):
    """One signed consent. `status` follows the ledger; `local_withdrawn_at` counts from the moment it is set.

    `details` (canonical JSON), `secret` (32 bytes; one a patient, kept from grant to grant, so that no new grant makes
    old proofs of absence hollow) and `code` (16 bytes) are opened at this hospital alone. Signatures: `proofs`.
    `passkey`: what signed; None: the key kept here, or nobody's on paper. `replacement`: the passkey that took a lost
    one's place; `rekeyed_at`: when the ledger recorded that.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="grants")
    commitment = models.CharField(max_length=64, unique=True)
    statement = models.BinaryField()
    signature = models.BinaryField()
    attestation = models.CharField(max_length=20)
    text = models.CharField(max_length=64)
    preset = models.CharField(max_length=64)
    valid_from = models.CharField(max_length=7)
    valid_until = models.CharField(max_length=7)
    details = Encrypted()
    secret = Encrypted()
    code = Encrypted()
    mandate = models.ForeignKey(Mandate, models.PROTECT, null=True, related_name="grants")  # None: the patient signed
    replaces = models.ForeignKey("self", models.SET_NULL, null=True, related_name="replaced_by")
    made = models.DateTimeField(auto_now_add=True)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    refusal = models.CharField(max_length=64, blank=True)
    tx_id = models.CharField(max_length=64, blank=True)
    recorded_block = models.PositiveBigIntegerField(null=True)
    recorded_at = models.BigIntegerField(null=True)  # epoch seconds, contract time
    withdrawn_block = models.PositiveBigIntegerField(null=True)
    withdrawn_at = models.BigIntegerField(null=True)  # epoch seconds, contract time
    withdrawn_by = models.CharField(max_length=10, blank=True)  # patient, code or registrar

    local_withdrawn_at = models.DateTimeField(null=True)
    withdrawal_signature = models.BinaryField(null=True)
    withdrawal_refusal = models.CharField(max_length=64, blank=True)  # the ledger's code; counts here all the same
    acknowledgement = models.BinaryField(null=True)

    passkey = models.ForeignKey(Passkey, models.PROTECT, null=True, related_name="grants")
    replacement = models.ForeignKey(Passkey, models.PROTECT, null=True, related_name="replaces")
    rekeyed_at = models.BigIntegerField(null=True)  # epoch seconds, contract time
    lapse = models.CharField(max_length=32, blank=True)  # the rule by which it ended by itself
    lapsed_at = models.DateTimeField(null=True)  # when this hospital took note of that

    class Meta:
        ordering = ("-made",)
        indexes = [models.Index(fields=("status",), name="grant_status")]

    @property
    def is_withdrawn(self) -> bool:
        return self.local_withdrawn_at is not None or self.status == Status.WITHDRAWN

    @property
    def patient_withdrew(self) -> bool:
        """Whether the patient has, here or elsewhere: a registrar's withdrawal before it is not the last word."""
        return self.local_withdrawn_at is not None or self.withdrawn_by in BY_PATIENT

    @property
    def stands(self) -> bool:
        return not self.is_withdrawn and self.status != Status.REFUSED and not self.lapse

    @property
    def point(self) -> bytes:
        """The public key that the statement names (65 bytes)."""
        return bytes((self.passkey or self.signer).public)

    def opened(self) -> Details:
        return read_details(bytes(self.details))

    def view(self, height: int, lapse: Lapse | None = None) -> ConsentView:
        """What this hospital knows of the grant at block `height`, minus withdrawals handed in here since.

        `lapse`: that a newer version of its text is out.
        """
        recorded = self.recorded_block is not None and self.recorded_block <= height
        gone = self.withdrawn_block is not None and self.withdrawn_block <= height
        withdrawn = self.local_withdrawn_at is not None or gone
        status = "withdrawn" if withdrawn else "active" if recorded else "unknown"
        return ConsentView(
            status=status,
            preset=self.preset,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            recorded_at=self.recorded_at if recorded else None,
            withdrawn_at=self.withdrawn_at if gone else None,
            details=self.opened(),
            lapse=lapse,
        )

    @property
    def unread(self) -> ConsentView:
        """What is known of a grant whose details cannot be opened: that it is there, or was taken back."""
        gone = self.local_withdrawn_at is not None or self.withdrawn_block is not None
        return ConsentView("withdrawn" if gone else "unknown", "", "", "", None, None, None)

    @property
    def signer(self) -> Key | Mandate:
        """Whose key, kept here, signs for this grant: the patient's, or that of the mandate it was given under."""
        return self.mandate or Key.objects.get(patient_id=self.patient_id)

    def __str__(self) -> str:
        return f"grant {self.pk}"


class HandedIn(models.Model):
    """A withdrawal by somebody without an account: for this hospital's grants or another's.

    With the statement comes the code or the signature; one of the two is None.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    commitment = models.CharField(max_length=64, unique=True)
    statement = models.BinaryField()
    key = models.BinaryField()
    code = Encrypted(null=True)
    signature = models.BinaryField(null=True)
    acknowledgement = models.BinaryField()
    received = models.DateTimeField(auto_now_add=True)
    withdrawn_block = models.PositiveBigIntegerField(null=True)
    refusal = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"withdrawal {self.pk}"


class Unheard(models.Model):
    """A withdrawal, whosever it is, that this hospital's peer delivered and that it has not acknowledged yet."""

    commitment = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return f"unheard {self.commitment}"
