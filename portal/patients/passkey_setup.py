"""Setting a passkey up, once; lost, it is replaced at the desk. What it signs afterwards: `passkeys`."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
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

from consent import keys
from portal.errors import PortalError
from portal.patients import device_keys, sending
from portal.patients.models import Draft, Grant, KeyKind, Mandate, Passkey, Patient
from portal.patients.passkeys import LARGEST, Signer, of, party, place, refused


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
