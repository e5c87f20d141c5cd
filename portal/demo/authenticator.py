"""A passkey in software, for the demo and for tests: the bytes that a phone would send, from a key in this process.

It stands for the device, not for a check: what it makes is verified like any other passkey's. That it can exist at all
is why a passkey's signature does not show that a device made it (docs/threat-model.md).
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

from consent import keys
from consent.encoding import from_base64url, to_base64url
from consent.webauthn import ATTESTED, PRESENT, VERIFIED, Assertion

SEEN = PRESENT | VERIFIED


@dataclass
class Passkey:
    """One passkey for one hospital's pages. `counter`: goes up with each signature; None: stays 0, as when synced."""

    rp_id: str
    origin: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    counter: int | None = 0

    @property
    def public(self) -> bytes:
        return keys.public_bytes(self.key)

    def create(self, digest: bytes, *, flags: int = SEEN, **client: Any) -> dict[str, Any]:
        """What `navigator.credentials.create()` answers to the challenge `digest`: a RegistrationResponseJSON."""
        known = AttestedCredentialData.create(
            Aaguid.NONE, self.credential, ES256.from_cryptography_key(self.key.public_key())
        )
        data = AuthenticatorData.create(sha256(self.rp_id.encode()).digest(), flags | ATTESTED, self._count(), known)
        named = {"type": "webauthn.create", **client}
        response = {
            "clientDataJSON": to_base64url(self.client_data(digest, **named)),
            "attestationObject": to_base64url(bytes(AttestationObject.create("none", data, {}))),
        }
        name = to_base64url(self.credential)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}

    def sign(self, message: bytes, *, flags: int = SEEN, rp_id: str | None = None, **client: Any) -> Assertion:
        """The assertion whose challenge is SHA-256 of `message`; `client` changes what the client data say."""
        data = sha256((rp_id or self.rp_id).encode()).digest() + bytes([flags]) + self._count().to_bytes(4)
        said = self.client_data(sha256(message).digest(), **client)
        signature = self.key.sign(data + sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        return Assertion(
            authenticator_data=to_base64url(data), client_data=to_base64url(said), signature=to_base64url(signature)
        )

    def made(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What the page's script puts into a form when the page asks for a new passkey."""
        return self.create(from_base64url(asked["challenge"]))

    def answer(self, asked: dict[str, Any]) -> dict[str, str]:
        """What the page's script puts into a form when the page asks for a signature."""
        made = self.sign(b"", challenge=asked["challenge"])
        parts = {name: getattr(made, name) for name in made.__struct_fields__}
        return {"credential": to_base64url(self.credential), **parts}

    @classmethod
    def kept(cls, rp_id: str, origin: str, kept: dict[str, Any]) -> Passkey:
        """The passkey that `keep` gave, or a new one."""
        if not kept:
            return cls(rp_id, origin)
        key = ec.derive_private_key(int(kept["key"], 16), ec.SECP256R1())
        return cls(rp_id, origin, key, bytes.fromhex(kept["credential"]), kept["counter"])

    def keep(self) -> dict[str, Any]:
        number = self.key.private_numbers().private_value
        return {"key": f"{number:064x}", "credential": self.credential.hex(), "counter": self.counter}

    def client_data(self, digest: bytes, **changed: Any) -> bytes:
        said = {
            "type": "webauthn.get",
            "challenge": to_base64url(digest),
            "origin": self.origin,
            "crossOrigin": False,
        }
        return json.dumps(said | changed, separators=(",", ":")).encode()

    def _count(self) -> int:
        if self.counter is None:
            return 0
        self.counter += 1
        return self.counter
