"""A key that a patient keeps in a file of their own: registered by its public half, signing away from the pages.

The page gives a file to sign, the patient's own tool (`covenant consent sign`) signs it, the page takes the signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from django.utils.translation import gettext_noop

from consent import canonical, keys
from consent.by_file import ToSign
from consent.encoding import from_base64url, to_base64url
from consent.errors import ConsentError
from portal.errors import PortalError
from portal.patients.models import Draft, Grant, KeyKind, Passkey, Patient

LONGEST = 200  # characters of a key or signature as text


@dataclass(frozen=True, slots=True)
class Signature:
    """What the patient's own tool printed: a DER signature."""

    der: bytes

    def verify(self, key: Passkey, message: bytes) -> bytes:
        """The signature, if it is `key`'s over `message`; raises PortalError `patients.signature-refused`."""
        if key.kind != KeyKind.DEVICE or not keys.verifies(keys.load(bytes(key.public)), self.der, message):
            raise refused(gettext_noop("your own key did not sign this: sign the file that this page offers now"))
        return self.der


def sent(text: str) -> Signature | None:
    """What a form says of a signature; None where it says nothing. PortalError `patients.signature-refused`."""
    if not text.strip():
        return None
    return Signature(
        read(text, gettext_noop("this is not a signature that your own tool printed: copy the whole line"))
    )


def public(text: str) -> bytes:
    """The 65-byte point in the line that `covenant consent new-key` prints.

    Raises PortalError `patients.signature-refused`, GrantRefused `grant.key-encoding`.
    """
    point = read(text, gettext_noop("this is not a public key that your own tool printed: copy the whole line"))
    keys.load(point)
    return point


def read(text: str, otherwise: str) -> bytes:
    try:
        return from_base64url(text.strip()[:LONGEST])
    except (ConsentError, ValueError):
        raise refused(otherwise) from None


def credential(point: bytes) -> bytes:
    """What stands in the place of a passkey's credential id."""
    return sha256(point).digest()


def to_sign(patient: Patient) -> bytes | None:
    """The file to sign for what waits as a draft; None where nothing waits for a key in a file."""
    kept = Draft.objects.filter(patient=patient, mandate=None).first()
    body = canonical.decode(bytes(kept.sealed)) if kept else {}
    key = Passkey.objects.filter(pk=body.get("passkey"), kind=KeyKind.DEVICE, lost=None).first()
    if key is None:
        return None
    return file("consent", from_base64url(body["statement"]), bytes(key.public), body["details"].encode())


def to_withdraw(grant: Grant) -> bytes:
    """The file to sign in order to withdraw `grant`."""
    return file("withdrawal", bytes(grant.statement), grant.point, bytes(grant.details))


def file(act: str, statement: bytes, key: bytes, details: bytes) -> bytes:
    said = {"format": "covenant.to-sign.v1", "act": act, "details": canonical.decode(details)}
    made = said | {"statement": to_base64url(statement), "key": to_base64url(key)}
    return canonical.encode(canonical.convert(made, ToSign))


def refused(message: str) -> PortalError:
    return PortalError("patients.signature-refused", message)
