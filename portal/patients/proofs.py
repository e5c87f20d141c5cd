"""How a row keeps what was signed: a key's signature as DER bytes; canonical JSON for a passkey, paper and the code.

DER begins with 0x30 and JSON with a brace, so that each row says itself which it is.
"""

from __future__ import annotations

from consent import canonical
from consent.encoding import to_base64url
from consent.grant import Attestation, Paper
from consent.webauthn import Assertion


class ByCode(canonical.Document, frozen=True, tag="code", tag_field="kind"):
    """The withdrawal code that this hospital keeps with the grant."""


Kept = bytes | Assertion | Paper | ByCode
BRACE = b"{"


def keep(proof: Kept) -> bytes:
    return proof if isinstance(proof, bytes) else canonical.encode(proof)


def read(kept: bytes) -> Kept:
    """What `keep` wrote; raises CanonicalRefused for JSON that is none of them."""
    if not kept.startswith(BRACE):
        return kept
    found: Kept = canonical.decode_as(kept, Assertion | Paper | ByCode)  # type: ignore[arg-type]  # a union is a type
    return found


def shown(kept: bytes) -> object:
    """What endorsers see of it, as evidence."""
    proof = read(kept)
    return to_base64url(proof) if isinstance(proof, bytes) else proof


def attested(kept: bytes, *, own: bool = False) -> Attestation:
    """What a grant signed so is called on the ledger when it is recorded. `own`: by no key that is kept here."""
    proof = read(kept)
    if isinstance(proof, Assertion):
        return "passkey"
    if isinstance(proof, Paper):
        return "hospital-attested"
    return "device-key" if own else "portal-key"
