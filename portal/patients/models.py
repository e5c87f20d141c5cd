"""What a hospital alone keeps: patients, their keys and opened grants, and who was in which cohort."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import uuid4

from django.conf import settings
from django.db import models

import consent.mandate
from consent import canonical
from consent.decide import ConsentView
from consent.grant import Details
from consent.mandate import Age
from consent.versions import Lapse
from portal.patients.vault import Encrypted, reader
from training.site.gate import BY_PATIENT

read_details = reader(lambda opened: canonical.decode_as(opened, Details))


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
