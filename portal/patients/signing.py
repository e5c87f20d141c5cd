"""Making a grant: signed with the key that this hospital holds for the patient, or unsigned for a passkey to sign."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from django.conf import settings

from consent import canonical, grant, keys, periods
from consent.grant import Details, Paper, Statement
from consent.mandate import Age
from consent.texts import ConsentText
from portal.patients import proofs
from portal.patients.choices import Choices
from portal.patients.models import Grant, Key, Mandate, Passkey, Patient


def new_key(patient: Patient) -> Key:
    """A fresh P-256 key for `patient`, not yet saved."""
    private = ec.generate_private_key(ec.SECP256R1())
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Key(patient=patient, private=der, public=keys.public_bytes(private))


def sign(key: Key | Mandate, message: bytes) -> bytes:
    return keys.sign(open_key(key), message)


def open_key(key: Key | Mandate) -> ec.EllipticCurvePrivateKey:
    private = load_der_private_key(bytes(key.private), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private


def new_grant(
    by: Key | Passkey | Mandate,
    *,
    preset: str,
    valid_from: str,
    valid_until: str,
    text: ConsentText,
    secret: bytes,
    choices: Choices,
    age: Age | None,
    mandate: Mandate | None,
    document: str | None = None,
) -> Grant:
    """A signed grant, not yet saved. Months are "YYYY-MM", both included; the exact days are those months' days.

    A grant that starts this month starts today: nobody consents to yesterday. Raises ConsentError `periods.*`.
    """
    code = secrets.token_bytes(grant.CODE_BYTES)
    details = Details(
        salt=secrets.token_hex(grant.SALT_BYTES),
        text_digest=text.digest,
        language=text.language,
        starts=first_day(valid_from),
        ends=last_day(valid_until),
        data_from=choices.data_from,
        data_until=choices.data_until,
        retrospective=True,  # the texts speak of the record as it is, not of what is yet to be written
        limits=choices.limits,
        document=document,
        feedback=choices.feedback,
        contact=choices.contact,
        age=age,
        mandate=None if mandate is None else mandate.opened(),
        secret_digest=grant.secret_digest(secret),
    )
    statement = Statement(
        channel=settings.NODE.channel,
        hospital=settings.NODE.msp,
        key_digest=sha256(bytes(by.public)).hexdigest(),
        text=text.id,
        preset=preset,
        valid_from=valid_from,
        valid_until=valid_until,
        withdrawal_code_digest=grant.withdrawal_code_digest(code),
        details_digest=details.digest(),
        nonce=secrets.token_hex(grant.NONCE_BYTES),
    )
    message = grant.statement_bytes(statement)
    grant.check_details(statement, details)
    signature = b"" if isinstance(by, Passkey) else sign(by, message) if document is None else proofs.keep(Paper())
    return Grant(
        patient_id=by.patient_id,
        mandate=mandate,
        commitment=grant.commitment(message, bytes(by.public)).hex(),
        statement=message,
        signature=signature,
        attestation=by.kind if isinstance(by, Passkey) else proofs.attested(signature),
        passkey=by if isinstance(by, Passkey) else None,
        text=text.id,
        preset=preset,
        valid_from=valid_from,
        valid_until=valid_until,
        details=canonical.encode(details),
        secret=secret,
        code=code,
    )


def first_day(month: str) -> str:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    return today if today.startswith(month) else f"{month}-01"


def last_day(month: str) -> str:
    """The last day of `month`."""
    return periods.day_of(periods.month_start(periods.shift_months(month, 1)) - 1)
