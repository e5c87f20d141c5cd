"""What changes a hospital's store of patients: enrol, give, narrow, withdraw. Sending to the ledger is in sending.py.

Each act is saved here first and then sent: while the ledger is away a grant waits as pending, and a withdrawal counts
at this hospital from the moment it is saved. The sweep sends again what did not arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from django.db import transaction
from django.utils.translation import gettext_noop

from consent import grant as grants
from consent import presets
from consent.texts import ConsentText
from portal.accounts import services as accounts
from portal.accounts.models import Role
from portal.errors import PortalError
from portal.patients import passkeys, proofs, sending, signing, speaking, texts
from portal.patients.choices import PLAIN, Choices
from portal.patients.models import Grant, Key, Mandate, Passkey, Patient
from portal.withdrawals import acknowledging
from training.federation.crashpoint import reach

How = passkeys.Own | str | None  # a key of one's own, the digest of a scanned paper, or the key that is kept here


@dataclass(frozen=True, slots=True)
class Wish:
    """What one patient allows: `preset`, from month `valid_from` to month `valid_until` ("YYYY-MM", both included).

    `document`: SHA-256 (hex) of the scanned paper, where that was signed and no key was.
    """

    patient: Patient
    preset: str
    valid_from: str
    valid_until: str
    choices: Choices = PLAIN
    document: str | None = None


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
    how: How = None,
) -> Grant:
    """Sign and send a consent of `patient`, under the current text where none is named. It stands as pending until the
    ledger's event arrives. One that stands under an older text is replaced; no other is.

    Raises PortalError `patients.preset-unknown`, `patients.text-unknown`, `patients.text-changed`,
    `patients.has-grant`, `patients.draft-old`, `patients.passkey-refused`, `patients.other-passkey`, ConsentError
    `periods.*`, `mandate.child-alone`, `mandate.represented`; Refused when the ledger says no (the grant is kept as
    refused).
    """
    wording = texts.text(text or texts.current(), language)
    with transaction.atomic():
        patient = Patient.objects.select_for_update().get(pk=patient.pk)
        speaking.check_own(patient)
        own = patient.grants.filter(mandate=None).defer("secret", "code", "details")
        standing = [one for one in own if one.stands]
        if any(not texts.is_old(one.text) for one in standing):
            raise PortalError(
                "patients.has-grant", gettext_noop("you have a consent already: change that one, or withdraw it first")
            )
        grant = prepare(Wish(patient, preset, valid_from, valid_until, choices), wording, how)
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


def draft(wish: Wish, text: ConsentText, mandate: Mandate | None = None) -> str | None:
    """What the passkey of the patient, or of who speaks under `mandate`, is asked to sign (JSON for the browser).

    None where they have no key of their own; empty where that is in a file (`device_keys.to_sign`).
    """
    passkey = passkeys.active(mandate or wish.patient)
    return None if passkey is None else passkeys.draft(make(wish, text, passkey))


def narrow(*, grant: Grant, preset: str, valid_until: str, choices: Choices | None = None, how: How = None) -> Grant:
    """Replace `grant` by one that allows no more: the new one is signed, the old one withdrawn, both saved together.

    `choices`: what is said more exactly; None: what was said stays. Wishes about results may be others without more.
    Under a text that has a successor, the new one goes on for what that text still permits.
    What was said for somebody can be made smaller while the mandate holds. Raises PortalError `patients.not-narrower`,
    `patients.withdrawn`, `mandates.not-in-force`, `mandates.scope`, and what a touch is refused with.
    """
    with transaction.atomic():
        old = locked(grant)
        if not old.stands:
            raise PortalError("patients.withdrawn", gettext_noop("this consent is withdrawn: give a new one instead"))
        wish = like(old, preset, valid_until, choices)
        if not replaces(wish, old):
            raise PortalError(
                "patients.not-narrower", gettext_noop("choose less than before; to allow more, give a new consent")
            )
        new = replaced(old, wish, how)
    sending.send_withdrawals([old])
    sending.send_grants([new])
    return new


def sign_anew(*, grant: Grant, touched: passkeys.Own) -> Grant:
    """Replace `grant` by the same consent, signed with the patient's own key.

    Raises PortalError `patients.withdrawn`, `patients.text-old`, `patients.draft-old`, `patients.passkey-refused`,
    `patients.other-passkey`.
    """
    with transaction.atomic():
        old = locked(grant)
        if not old.stands:
            raise PortalError("patients.withdrawn", gettext_noop("this consent is withdrawn: give a new one instead"))
        if texts.is_old(old.text):
            raise PortalError(
                "patients.text-old", gettext_noop("a newer text is out: read it and choose, or stop this consent")
            )
        new = replaced(old, like(old, old.preset, old.valid_until), touched)
    sending.send_withdrawals([old])
    sending.send_grants([new])
    return new


def replaced(old: Grant, wish: Wish, how: How) -> Grant:
    """The grant of `wish`, by whoever gave `old`, that takes its place; `old` is withdrawn: both saved.

    Raises PortalError `mandates.not-in-force`, `mandates.scope`.
    """
    if old.mandate is not None:
        speaking.check_right(old.mandate, wish.preset)
    new = prepare(wish, texts.text(old.text, old.opened().language), how, old.mandate)
    new.replaces = old
    new.save()
    take_back(old)
    return new


def like(old: Grant, preset: str, valid_until: str, choices: Choices | None = None) -> Wish:
    """What `old` says from now on, with another preset and end; with `choices`, or what was said more exactly."""
    said = Choices.of(old.opened()) if choices is None else choices
    return Wish(old.patient, preset, max(old.valid_from, this_month()), valid_until, said)


def withdraw(*, grant: Grant, touched: passkeys.Own | None = None) -> Grant:
    """Withdraw `grant`: by the patient's passkey, if it was touched; by the key or the code that is kept here, if not.

    It counts here at once; the same withdrawal again changes nothing.

    Returns the grant with its signed acknowledgement, read back as it is kept, whether or not the ledger can be
    reached. Raises PortalError `withdrawals.acknowledgement-invalid` where that does not check; it counts all the same.
    """
    with transaction.atomic():
        grant = locked(grant)
        if not grant.patient_withdrew:
            take_back(grant, touched)
    reach("web.withdrawal-kept")
    sending.send_withdrawals([grant])
    grant.refresh_from_db(fields=["acknowledgement"])
    if grant.acknowledgement is not None:  # None: withdrawn elsewhere, and acknowledged there
        acknowledging.read_back(bytes(grant.acknowledgement), grant.commitment)
    return grant


def take_back(grant: Grant, touched: passkeys.Own | None = None) -> None:
    """The withdrawal itself, signed and acknowledged, to be saved with whatever belongs to it."""
    commitment = bytes.fromhex(grant.commitment)
    proof = withdrawal(grant, commitment, touched)
    grant.withdrawal_signature = proofs.keep(proof)
    grant.local_withdrawn_at = datetime.now(UTC)
    how: Literal["code", "signature"] = "code" if isinstance(proof, proofs.ByCode) else "signature"
    grant.acknowledgement = acknowledging.acknowledge(commitment, grant.local_withdrawn_at, how)
    grant.save(update_fields=["withdrawal_signature", "local_withdrawn_at", "acknowledgement"])


def withdrawal(grant: Grant, commitment: bytes, touched: passkeys.Own | None) -> proofs.Kept:
    """What takes `grant` back: never less than the code, so that a patient without the passkey can always stop."""
    if touched is not None and passkeys.withdraws(grant) is not None:
        return passkeys.checked(passkeys.signer_of(grant), grants.withdrawal_bytes(commitment), touched)[1]
    if grant.passkey_id is not None:
        return proofs.ByCode()
    return grants.sign_withdrawal(commitment, signing.open_key(grant.signer))


def locked(grant: Grant) -> Grant:
    found = Grant.objects.select_for_update(of=("self",)).select_related("patient", "mandate")
    return found.get(pk=grant.pk)


def prepare(wish: Wish, text: ConsentText, how: How = None, mandate: Mandate | None = None) -> Grant:
    """A signed grant, not yet saved: by the passkey if it was touched, on paper if a scan is named, else by the key.

    `mandate`: under which somebody else than the patient signs.
    """
    key = mandate or Key.objects.get(patient_id=wish.patient.pk)
    if isinstance(how, passkeys.Own):
        return passkeys.signed(mandate or wish.patient, how, like=make(wish, text, key))
    return make(wish, text, key, document=how or wish.document)


def make(wish: Wish, text: ConsentText, by: Key | Passkey | Mandate, *, document: str | None = None) -> Grant:
    """The grant as `by` signs it, or is to sign it. Raises PortalError `patients.preset-unknown`."""
    if wish.preset not in text.front.presets:
        raise PortalError("patients.preset-unknown", gettext_noop("this consent text does not offer that choice"))
    mandate = by if isinstance(by, Mandate) else by.mandate if isinstance(by, Passkey) else None
    return signing.new_grant(
        by,
        mandate=mandate,
        age=wish.patient.age,
        preset=wish.preset,
        valid_from=wish.valid_from,
        valid_until=wish.valid_until,
        text=text,
        secret=speaking.secret_for(wish.patient, mandate),
        choices=wish.choices,
        document=document,
    )


def replaces(wish: Wish, grant: Grant) -> bool:
    """Whether `wish` permits nothing more than `grant` does, and says something else."""
    said = Choices.of(grant.opened())
    shorter = this_month() <= wish.valid_until <= grant.valid_until
    inside = shorter and presets.within(wish.preset, grant.preset) and wish.choices.within(said)
    return inside and (wish.preset, wish.valid_until, wish.choices) != (grant.preset, grant.valid_until, said)


def this_month() -> str:
    return f"{datetime.now(UTC):%Y-%m}"
