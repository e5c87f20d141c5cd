"""What a passkey signs when a patient consents or withdraws: a WebAuthn assertion, read strictly (Level 2, 7.2).

The challenge is SHA-256 of the bytes that a patient without a passkey would sign, so the assertion says the same thing
once, for one hospital's page. Nothing is looked up and nothing is kept: the sign counter is for the portal to watch.

It shows that an authenticator which checked its user signed at that page. It shows neither whose finger it was nor what
the screen said, nor that the authenticator is no program: no attestation of its maker is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta

from consent import keys
from consent.canonical import Document
from consent.encoding import Base64Url, from_base64url, to_base64url
from consent.errors import CanonicalRefused, GrantRefused

LONGEST = 2_048  # base64url characters; a browser writes some 200, with room for what later levels add
SHORT = 37  # bytes of authenticator data without extensions: RP id hash, flags, counter
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED, EXTENDED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80  # section 6.1
TYPE = "webauthn.get"

Part = Annotated[Base64Url, Meta(max_length=LONGEST)]


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whose page it was: the RP id that passkeys are bound to, and the page's addresses, as `members` holds them."""

    rp_id: str
    origins: tuple[str, ...]


class Assertion(Document, frozen=True, tag="webauthn", tag_field="kind"):
    """A passkey's assertion: authenticator data, client data (JSON), DER signature over data and the JSON's hash."""

    authenticator_data: Part
    client_data: Part
    signature: Part

    def verify(self, key: ec.EllipticCurvePublicKey, message: bytes, party: RelyingParty | None) -> None:
        """Return quietly if `key` signed `message` at the pages of `party`, with its user present and verified.

        Raises GrantRefused `grant.passkey-unknown` (no RP id is known), `grant.passkey-malformed`,
        `grant.passkey-type`, `grant.passkey-challenge` (signed for something else), `grant.passkey-origin`,
        `grant.passkey-cross-origin`, `grant.passkey-rp-id`, `grant.passkey-not-present`,
        `grant.passkey-not-verified`, `grant.signature-invalid`.
        """
        if party is None:
            raise refused("unknown", "this hospital has no address for passkeys: sign in another way")
        data, client, signature = (_bytes(part) for part in (self.authenticator_data, self.client_data, self.signature))
        _check_client(client, message, party)
        _check_authenticator(data, party)
        if not keys.verifies(key, signature, data + sha256(client).digest()):
            raise GrantRefused("grant.signature-invalid", "this is not the assertion of the patient's passkey")

    @property
    def counter(self) -> int:
        """The authenticator's sign counter; 0 from a passkey that lives on several devices. Verify first."""
        return int.from_bytes(_bytes(self.authenticator_data)[33:SHORT])


class ClientData(msgspec.Struct, frozen=True, rename="camel"):
    """What the browser says of the call (section 5.8.1); a browser may say more, and it is signed all the same."""

    type: str
    challenge: str
    origin: str
    cross_origin: bool = False
    top_origin: str | None = None


def _check_client(data: bytes, message: bytes, party: RelyingParty) -> None:
    try:
        client = _CLIENT.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise refused("malformed", "the client data is not the JSON that a browser writes") from None
    if client.type != TYPE:
        raise refused("type", f"the client data must be of the type {TYPE}")
    if client.challenge != to_base64url(sha256(message).digest()):
        raise refused("challenge", "this passkey signed something else: sign what is shown now")
    if client.origin not in party.origins:
        raise refused("origin", "this was signed at another address than the hospital's", origin=client.origin[:100])
    if client.cross_origin or client.top_origin is not None:
        raise refused("cross-origin", "this was signed inside another site's page: open the hospital's own page")


def _check_authenticator(data: bytes, party: RelyingParty) -> None:
    if len(data) < SHORT:
        raise refused("malformed", f"authenticator data has at least {SHORT} bytes")
    flags = data[32]
    if (
        flags & ATTESTED
        or bool(flags & EXTENDED) != (len(data) > SHORT)
        or (flags & BACKED_UP and not flags & ELIGIBLE)
    ):
        raise refused("malformed", "the flags of this authenticator data do not agree with what it holds")
    if data[:32] != sha256(party.rp_id.encode()).digest():
        raise refused("rp-id", "this passkey belongs to another site than the hospital's")
    if not flags & PRESENT:
        raise refused("not-present", "the passkey did not ask for its user's touch: sign again")
    if not flags & VERIFIED:
        raise refused("not-verified", "the passkey did not check its user: unlock it with PIN, finger or face")


def _bytes(part: str) -> bytes:
    try:
        return from_base64url(part)
    except CanonicalRefused as error:
        raise refused("malformed", error.message) from None


def refused(what: str, message: str, **context: object) -> GrantRefused:
    return GrantRefused(f"grant.passkey-{what}", message, **context)


_CLIENT = msgspec.json.Decoder(ClientData)
