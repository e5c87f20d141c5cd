"""What changes a hospital's store of patients: enrol, give, narrow, withdraw. Sending to the ledger is in sending.py.

Each act is saved here first and then sent: while the ledger is away a grant waits as pending, and a withdrawal counts
at this hospital from the moment it is saved. The sweep sends again what did not arrive.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from consent import grant as grants
from consent import presets
from consent.texts import ConsentText
from portal.accounts import services as accounts
from portal.accounts.models import Role
from portal.errors import PortalError
from portal.patients import sending, signing, texts
from portal.patients.choices import PLAIN, Choices
from portal.patients.models import Grant, Key, Patient
from portal.withdrawals import acknowledging
from training.federation.crashpoint import reach


@dataclass(frozen=True, slots=True)
class Wish:
    """What one patient allows: `preset`, from month `valid_from` to month `valid_until` ("YYYY-MM", both included)."""

    patient: Patient
    preset: str
    valid_from: str
    valid_until: str
    choices: Choices = PLAIN


@transaction.atomic
def enrol(records: Iterable[Sequence[str]]) -> list[Patient]:
    """One patient, with a key, for each of `records`: the ids of that person's rows in the hospital's data sets."""
    patients = []
    for ids in records:
        patient = Patient()
        patient.record_ids = tuple(ids)
        patients.append(patient)
    Patient.objects.bulk_create(patients, batch_size=500)
    Key.objects.bulk_create([signing.new_key(patient) for patient in patients], batch_size=500)
    return patients


@transaction.atomic
def open_account(*, patient: Patient, username: str) -> str:
    """Let `patient` sign in as `username`; returns the password, kept nowhere. PortalError `accounts.taken`."""
    if patient.account_id is not None:
        raise PortalError("patients.has-account", "this patient can sign in already: set a new password instead")
    user, password = accounts.create_user(username=username, role=Role.PATIENT)
    patient.account = user
    patient.save(update_fields=["account"])
    return password


def give(
    *,
    patient: Patient,
    preset: str,
    valid_from: str,
    valid_until: str,
    text: str | None = None,
    language: str = texts.LANGUAGE,
    choices: Choices = PLAIN,
) -> Grant:
    """Sign and send a consent of `patient`, under the current text where none is named. It stands as pending until the
    ledger's event arrives. One that stands under an older text is replaced; no other is.

    Raises PortalError `patients.preset-unknown`, `patients.text-unknown`, `patients.text-changed`,
    `patients.has-grant`, ConsentError `periods.*`; Refused when the ledger says no (the grant is kept as refused).
    """
    wording = texts.text(text or texts.current(), language)
    with transaction.atomic():
        patient = Patient.objects.select_for_update().get(pk=patient.pk)
        standing = [one for one in patient.grants.defer("secret", "code", "details") if one.stands]
        if any(not texts.is_old(one.text) for one in standing):
            raise PortalError("patients.has-grant", "you have a consent already: change that one, or withdraw it first")
        grant = prepare(Wish(patient, preset, valid_from, valid_until, choices), wording)
        grant.replaces = standing[0] if standing else None
        grant.save()
        for old in standing:
            take_back(old)
    sending.send_withdrawals(standing)
    sending.send_grants([grant])
    return grant


def give_all(wishes: Sequence[Wish], *, text: str | None = None, language: str = texts.LANGUAGE) -> list[Grant]:
    """As `give` for many patients at once (enrolment on paper, migration, the demo): batches of 500 to the ledger."""
    wording = texts.text(text or texts.current(), language)
    with transaction.atomic():
        given = [prepare(wish, wording) for wish in wishes]
        Grant.objects.bulk_create(given, batch_size=500)
    sending.send_grants(given)
    return given


def narrow(*, grant: Grant, preset: str, valid_until: str) -> Grant:
    """Replace `grant` by one that allows less: the new one is signed, the old one withdrawn, both saved together.

    What was said more exactly stays. Raises PortalError `patients.not-narrower`, `patients.withdrawn`,
    `patients.text-old`.
    """
    with transaction.atomic():
        old = locked(grant)
        if not old.stands:
            raise PortalError("patients.withdrawn", "this consent is withdrawn: give a new one instead")
        if not allows_less(old, preset, valid_until):
            raise PortalError("patients.not-narrower", "choose less than before; to allow more, give a new consent")
        if texts.is_old(old.text):
            raise PortalError("patients.text-old", "a newer text is out: read it and choose, or stop this consent")
        details = old.opened()
        wish = Wish(old.patient, preset, max(old.valid_from, this_month()), valid_until, Choices.of(details))
        new = prepare(wish, texts.text(old.text, details.language))
        new.replaces = old
        new.save()
        take_back(old)
    sending.send_withdrawals([old])
    sending.send_grants([new])
    return new


def withdraw(*, grant: Grant) -> Grant:
    """Withdraw `grant` with the patient's key. It counts here at once; the same withdrawal again changes nothing.

    Returns the grant with its signed acknowledgement, read back as it is kept, whether or not the ledger can be
    reached. Raises PortalError `withdrawals.acknowledgement-invalid` where that does not check; it counts all the same.
    """
    with transaction.atomic():
        grant = locked(grant)
        if not grant.patient_withdrew:
            take_back(grant)
    reach("web.withdrawal-kept")
    sending.send_withdrawals([grant])
    grant.refresh_from_db(fields=["acknowledgement"])
    if grant.acknowledgement is not None:  # None: withdrawn elsewhere, and acknowledged there
        acknowledging.read_back(bytes(grant.acknowledgement), grant.commitment)
    return grant


def take_back(grant: Grant) -> None:
    """The withdrawal itself, signed and acknowledged, to be saved with whatever belongs to it."""
    key = Key.objects.get(patient_id=grant.patient_id)
    commitment = bytes.fromhex(grant.commitment)
    grant.withdrawal_signature = grants.sign_withdrawal(commitment, signing.open_key(key))
    grant.local_withdrawn_at = datetime.now(UTC)
    grant.acknowledgement = acknowledging.acknowledge(commitment, grant.local_withdrawn_at)
    grant.save(update_fields=["withdrawal_signature", "local_withdrawn_at", "acknowledgement"])


def locked(grant: Grant) -> Grant:
    return Grant.objects.select_for_update().select_related("patient").get(pk=grant.pk)


def prepare(wish: Wish, text: ConsentText) -> Grant:
    """A signed grant, not yet saved."""
    if wish.preset not in text.front.presets:
        raise PortalError("patients.preset-unknown", "this consent text does not offer that choice")
    key = Key.objects.get(patient_id=wish.patient.pk)
    earlier = Grant.objects.filter(patient_id=wish.patient.pk).only("secret").first()
    secret = bytes(earlier.secret) if earlier else secrets.token_bytes(grants.SECRET_BYTES)
    return signing.new_grant(
        key,
        preset=wish.preset,
        valid_from=wish.valid_from,
        valid_until=wish.valid_until,
        text=text,
        secret=secret,
        choices=wish.choices,
    )


def allows_less(grant: Grant, preset: str, valid_until: str) -> bool:
    """Whether `preset` until `valid_until` is within what `grant` allows, and not all of it."""
    same = preset == grant.preset
    smaller = not same and presets.within(preset, grant.preset)
    shorter = this_month() <= valid_until < grant.valid_until
    return (same and shorter) or (smaller and (shorter or valid_until == grant.valid_until))


def this_month() -> str:
    return f"{datetime.now(UTC):%Y-%m}"
