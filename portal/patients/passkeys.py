"""A passkey, once it is set up (`passkey_setup`): asked for each consent and withdrawal.

A patient has one, and so has whoever speaks for a patient: one for each mandate, so that keys do not show who is whose.
A key that a patient keeps in a file instead stands in the same place (`device_keys`).
What it signed is checked here first, as every endorsing hospital will, and its counter is watched here alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

import msgspec
import structlog
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from consent import canonical, keys
from consent import grant as grants
from consent.encoding import from_base64url, to_base64url
from consent.errors import ConsentError
from consent.webauthn import Assertion, RelyingParty
from portal.errors import PortalError
from portal.patients import device_keys, proofs
from portal.patients.models import Draft, Grant, KeyKind, Mandate, Passkey, Patient
from portal.reactor import selectors as mirror

log = structlog.get_logger(__name__)
UNANSWERED = _("Your own key did not sign. Try again, or let the hospital sign for you.")
LARGEST = 8_192  # characters of what a browser sends of a passkey
Signer = Patient | Mandate  # the patient, or whoever speaks for them
DRAFTED = ("commitment", "text", "preset", "valid_from", "valid_until")


@dataclass(frozen=True, slots=True)
class Touch:
    """What the browser sent after the patient touched the passkey. `credential`: which one."""

    credential: bytes
    assertion: Assertion


Own = Touch | device_keys.Signature  # what a key of one's own signed with


def party() -> RelyingParty | None:
    """Where this hospital's passkeys sign, as `members` says; None where this page is not one of those addresses."""
    record = mirror.record(f"members/org/{settings.NODE.msp}") or {}
    origins = tuple(record.get("origins", ()))
    if record.get("rp_id") is None or settings.NODE.url not in origins:
        return None
    return RelyingParty(record["rp_id"], origins)


def of(signer: Signer) -> QuerySet[Passkey]:
    """The passkeys of `signer`, lost ones too."""
    return signer.passkeys.filter(mandate=None) if isinstance(signer, Patient) else signer.passkeys.all()


def active(signer: Signer) -> Passkey | None:
    """The key of their own that `signer` signs with, if there is one: a passkey only where this hospital has an address
    for it."""
    own = of(signer).filter(lost=None).first()
    return None if own is None or (own.kind == KeyKind.PASSKEY and party() is None) else own


def by_file(signer: Signer) -> bool:
    """Whether the key that `signer` signs with is one in a file."""
    own = active(signer)
    return own is not None and own.kind == KeyKind.DEVICE


def place(signer: Signer) -> dict[str, Any]:
    """The columns that say whose a row is."""
    if isinstance(signer, Patient):
        return {"patient_id": signer.pk, "mandate_id": None}
    return {"patient_id": signer.patient_id, "mandate_id": signer.pk}


def signer_of(grant: Grant) -> Signer:
    """Who gave `grant`."""
    return grant.mandate or grant.patient


def request_options(passkey: Passkey, message: bytes) -> str:
    """The options for `navigator.credentials.get()` (JSON): sign `message` with this very passkey."""
    own = party()
    assert own is not None
    allowed = [{"type": "public-key", "id": to_base64url(bytes(passkey.credential))}]
    challenge = to_base64url(sha256(message).digest())
    asked = {"challenge": challenge, "rpId": own.rp_id, "allowCredentials": allowed, "userVerification": "required"}
    return json.dumps(asked)


def touch(sent: str) -> Touch | None:
    """What a form says of a passkey's touch; None where it says nothing. PortalError `patients.passkey-refused`."""
    if not sent:
        return None
    try:
        body = json.loads(sent[:LARGEST])
        parts = {name: body[name] for name in Assertion.__struct_fields__}
        return Touch(from_base64url(body["credential"]), msgspec.convert(parts | {"kind": "webauthn"}, Assertion))
    except (ValueError, KeyError, TypeError, AttributeError, msgspec.ValidationError, ConsentError):
        raise refused(gettext_noop("what your browser sent of the passkey cannot be read: try again")) from None


def signed_by(signer: Signer, sent: Mapping[str, str]) -> Own | None:
    """What a form says of a signature by a key of one's own; None where it says nothing.

    Raises PortalError `patients.passkey-refused`, `patients.signature-refused`.
    """
    if "without" in sent:
        return None
    return device_keys.sent(sent.get("signature", "")) if by_file(signer) else touch(sent.get("passkey", ""))


def chosen(signer: Signer, sent: Mapping[str, str]) -> Own | Literal[False] | None:
    """How a form wants to be signed: with their own key; with the key kept here (None); False where nothing was said.

    Who has a key of their own is never signed for unasked: only by the button that says so.
    """
    if active(signer) is None or "without" in sent:
        return None
    return signed_by(signer, sent) or False


def checked(signer: Signer, message: bytes, touched: Own) -> tuple[Passkey, Assertion | bytes]:
    """The key that signed `message`, and its signature; a passkey's counter has been looked at.

    Raises PortalError `patients.other-passkey`, `patients.signature-refused`, `patients.passkey-refused` (context
    `cause`: the code that the contract would refuse it with).
    """
    passkey = active(signer)
    if passkey is not None and isinstance(touched, device_keys.Signature):
        return passkey, touched.verify(passkey, message)
    if passkey is None or isinstance(touched, device_keys.Signature) or bytes(passkey.credential) != touched.credential:
        raise PortalError("patients.other-passkey", gettext_noop("this is not the passkey that you have set up here"))
    try:
        touched.assertion.verify(keys.load(bytes(passkey.public)), message, party())
    except ConsentError as error:
        raise refused(error.message, cause=error.code) from None
    watch(passkey, touched.assertion.counter)
    return passkey, touched.assertion


def watch(passkey: Passkey, counter: int) -> None:
    """Remember the highest counter. One that goes back may mean a copied passkey: said, never refused.

    A passkey that lives on several devices has none and says 0 (WebAuthn Level 2, section 6.1.1).
    """
    if 0 < counter <= passkey.counter:
        log.warning("passkey counter went back")
        passkey.copied = datetime.now(UTC)
    passkey.counter = max(passkey.counter, counter)
    passkey.save(update_fields=["counter", "copied"])


def withdraws(grant: Grant) -> Passkey | None:
    """The passkey that can withdraw `grant`: the one that signed it, or the one that the ledger knows in its place."""
    passkey = active(signer_of(grant))
    if passkey is None:
        return None
    in_place = grant.replacement_id == passkey.pk and grant.rekeyed_at is not None
    return passkey if grant.passkey_id == passkey.pk or in_place else None


def withdrawal_options(grant: Grant) -> str:
    """The options to withdraw `grant` with its passkey; empty where no passkey can."""
    passkey = withdraws(grant)
    if passkey is None or passkey.kind == KeyKind.DEVICE:
        return ""
    return request_options(passkey, grants.withdrawal_bytes(bytes.fromhex(grant.commitment)))


def draft(unsigned: Grant) -> str:
    """Keep what is about to be signed, and return the options to sign it with; empty for a key in a file."""
    assert unsigned.passkey is not None
    body = {name: getattr(unsigned, name) for name in DRAFTED} | {
        "statement": to_base64url(bytes(unsigned.statement)),
        "details": bytes(unsigned.details).decode(),
        "secret": bytes(unsigned.secret).hex(),
        "code": bytes(unsigned.code).hex(),
        "passkey": unsigned.passkey.pk,
    }
    Draft.objects.update_or_create(**place(signer_of(unsigned)), defaults={"sealed": canonical.encode(body)})
    if unsigned.passkey.kind == KeyKind.DEVICE:
        return ""
    return request_options(unsigned.passkey, bytes(unsigned.statement))


def signed(signer: Signer, touched: Own, *, like: Grant) -> Grant:
    """The drafted consent with its signature, not yet saved. `like`: what the answers say now: it must say the same.

    Raises PortalError `patients.draft-old`, and as `checked`.
    """
    kept = Draft.objects.filter(**place(signer)).first()
    body = canonical.decode(bytes(kept.sealed)) if kept else {}
    if (
        kept is None
        or any(body[name] != getattr(like, name) for name in DRAFTED[1:])
        or not same(body["details"], like)
    ):
        raise PortalError(
            "patients.draft-old", gettext_noop("this is not what you were shown last: check your answers again")
        )
    statement = from_base64url(body["statement"])
    passkey, signature = checked(signer, statement, touched)
    if passkey.pk != body["passkey"]:
        raise PortalError(
            "patients.draft-old", gettext_noop("your passkey is another one by now: check your answers again")
        )
    kept.delete()
    return Grant(
        **place(signer),
        statement=statement,
        signature=proofs.keep(signature),
        attestation=passkey.kind,
        passkey=passkey,
        details=body["details"].encode(),
        secret=bytes.fromhex(body["secret"]),
        code=bytes.fromhex(body["code"]),
        **{name: body[name] for name in DRAFTED},
    )


def same(details: str, like: Grant) -> bool:
    """Whether drafted details say what those of `like` say; only salt and new secrets are others each time."""
    one, other = canonical.decode_as(details.encode(), grants.Details), like.opened()
    return msgspec.structs.replace(one, salt=other.salt, secret_digest=other.secret_digest) == other


def refused(message: str, **context: object) -> PortalError:
    return PortalError("patients.passkey-refused", message, **context)
