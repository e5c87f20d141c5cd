"""A passkey: set up once, then asked for each consent and withdrawal; lost, it is replaced at the desk.

A patient has one, and so has whoever speaks for a patient: one for each mandate, so that keys do not show who is whose.
A key that a patient keeps in a file instead stands in the same place (`device_keys`).
What it signed is checked here first, as every endorsing hospital will, and its counter is watched here alone.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

import msgspec
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from fido2.cose import ES256
from fido2.server import Fido2Server
from fido2.webauthn import (
    PublicKeyCredentialParameters,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    UserVerificationRequirement,
)

from consent import canonical, keys
from consent import grant as grants
from consent.encoding import from_base64url, to_base64url
from consent.errors import ConsentError
from consent.webauthn import Assertion, RelyingParty
from portal.errors import PortalError
from portal.patients import device_keys, proofs, sending
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


# Setting one up


def creation(signer: Signer) -> tuple[str, dict[str, Any]]:
    """The options for `navigator.credentials.create()` (JSON), and what `register` needs to know of them.

    Raises PortalError `patients.no-passkeys`, `patients.has-passkey`.
    """
    server = _server()
    if of(signer).filter(lost=None).exists():
        raise PortalError(
            "patients.has-passkey", gettext_noop("you have a passkey: if it is lost, ask at the hospital's desk")
        )
    name = signer.account.username if signer.account else "patient"
    if isinstance(signer, Mandate):
        name = f"{name}, for {signer.name}"
    user = PublicKeyCredentialUserEntity(id=signer.pk.bytes, name=name, display_name=name)
    options, state = server.register_begin(
        user, user_verification=UserVerificationRequirement.REQUIRED, challenge=secrets.token_bytes(32)
    )
    return json.dumps(dict(options.public_key)), dict(state)


def register(*, signer: Signer, state: dict[str, Any] | None, sent: str) -> Passkey:
    """Keep the passkey that the browser made, for the challenge in `state`.

    In the place of a lost one it may withdraw what that one signed, and sign anew.
    Raises PortalError `patients.passkey-refused` (context `cause`), `patients.has-passkey`, `patients.no-passkeys`.
    """
    server = _server()
    if not state:
        raise refused(gettext_noop("this page is too old: start again"))
    try:
        response = RegistrationResponse.from_dict(json.loads(sent[:LARGEST]))
        if response.response.client_data.cross_origin:
            raise ValueError("made inside another site's page")
        data = server.register_complete(state, response)
        assert data.credential_data is not None
        public = point(data.credential_data.public_key)
    except Exception as error:  # odd bytes meet every kind of error in a parser; each means the same here
        raise refused(
            gettext_noop("your browser's passkey was not accepted: try again"), cause=str(error)[:200]
        ) from None
    made = Passkey(credential=data.credential_data.credential_id, public=public, counter=data.counter, **place(signer))
    return keep(signer, made)


def register_device(*, patient: Patient, key: str) -> Passkey:
    """Keep the public half of a key that the patient has in a file, as their own tool printed it.

    Raises PortalError `patients.signature-refused`, `patients.has-passkey`, `patients.passkey-refused`, GrantRefused
    `grant.key-encoding`.
    """
    public = device_keys.public(key)
    credential = device_keys.credential(public)
    return keep(patient, Passkey(kind=KeyKind.DEVICE, credential=credential, public=public, counter=0, patient=patient))


def keep(signer: Signer, made: Passkey) -> Passkey:
    """Keep `made`, in the place of a lost one if there is one.

    Raises PortalError `patients.has-passkey`, `patients.passkey-refused`.
    """
    with transaction.atomic():
        Patient.objects.select_for_update().get(pk=made.patient_id)
        if of(signer).filter(lost=None).exists():
            raise PortalError(
                "patients.has-passkey", gettext_noop("you have a passkey: if it is lost, ask at the hospital's desk")
            )
        if Passkey.objects.filter(credential=made.credential).exists():
            raise refused(gettext_noop("this key is known already"))
        made.save()
        replaced = replace_lost(signer, made)
    sending.send_rekeys(replaced)
    return made


def point(key: Any) -> bytes:
    """The 65-byte point of a COSE key; ValueError for another algorithm or curve, ConsentError for no point of it."""
    if not isinstance(key, ES256) or key.get(-1) != 1 or len(key.get(-2, b"")) != 32 or len(key.get(-3, b"")) != 32:
        raise ValueError("not an ES256 key on P-256")
    found = b"\x04" + key[-2] + key[-3]
    keys.load(found)
    return found


def replace_lost(signer: Signer, new: Passkey) -> list[Grant]:
    """Let `new` take the place of the lost passkey under the consent that stands; the hospital attests it from now."""
    lost = Grant.objects.filter(**place(signer), passkey__lost__isnull=False, local_withdrawn_at=None)
    standing = [grant for grant in lost if grant.stands]
    for grant in standing:
        grant.replacement, grant.rekeyed_at = new, None
        grant.attestation = "hospital-attested"
        grant.save(update_fields=["replacement", "rekeyed_at", "attestation"])
    return standing


def lose(*, signer: Signer) -> None:
    """The registrar was told that the passkey is lost: it signs nothing from now on, and another may be set up.

    Once that stands in its place, what it signed counts as attested by the hospital alone.
    Raises PortalError `patients.no-passkey`.
    """
    with transaction.atomic():
        lost = of(signer).select_for_update().filter(lost=None).first()
        if lost is None:
            raise PortalError("patients.no-passkey", "no passkey of theirs is set up here")
        lost.lost = datetime.now(UTC)
        lost.save(update_fields=["lost"])
        Draft.objects.filter(**place(signer)).delete()


def _server() -> Fido2Server:
    own = party()
    if own is None:
        raise PortalError("patients.no-passkeys", gettext_noop("this hospital has no address for passkeys yet"))
    entity = PublicKeyCredentialRpEntity(id=own.rp_id, name=settings.NODE.title)
    server = Fido2Server(entity, attestation=None, verify_origin=lambda origin: origin in own.origins)
    server.allowed_algorithms = [
        PublicKeyCredentialParameters(type=PublicKeyCredentialType.PUBLIC_KEY, alg=ES256.ALGORITHM)
    ]
    return server


# Signing with one


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
