"""What a patient signs, and how anybody checks it: statement, details, commitment, signature, withdrawal.

The statement is what endorsing hospitals see; the details are opened at the patient's hospital alone; the ledger keeps
the commitment. docs/formats/consent.md has the bytes with test vectors.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta
from msgspec.structs import force_setattr

from consent import canonical, keys, mandate, periods
from consent.encoding import Hex32
from consent.errors import CanonicalRefused, GrantRefused
from consent.limits import NO_LIMITS, Limits, shared
from consent.mandate import Age, Mandate
from consent.webauthn import Assertion, RelyingParty

GRANT_TAG = b"covenant.grant.v1\n"
WITHDRAWAL_TAG = b"covenant.withdrawal.v1\n"
COMMITMENT_TAG = "covenant.commitment.v1"
REPLACEMENT_TAG = "covenant.replacement.v1"
SECRET_BYTES = SALT_BYTES = NONCE_BYTES = 32
CODE_BYTES = 16

Contact = Literal["email", "letter", "nobody", "phone", "portal"]
Attestation = Literal["passkey", "device-key", "portal-key", "hospital-attested"]
FORMS = {"passkey": "passkey", "device-key": "key", "portal-key": "key", "hospital-attested": "paper"}
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,63}\Z", description="letters, digits, . -")]


class Details(canonical.Document, frozen=True, kw_only=True):
    """What the statement says only by its digest. Days are inclusive; `diseases` (Mondo) narrow the preset, if any.

    `data_from`, `data_until`: the records' own dates that may be used. `retrospective`: whether records made before
    `starts` may be used. `limits`: further conditions, and what is denied. `feedback`: whether the patient wants to
    hear what was learned, and `contact`, how: wishes, which permit nothing. `age`: of a patient who is a child, or was
    one here. `mandate`: of whoever signs for the patient; None: the patient signs.
    `document`: SHA-256 of the scanned paper that the patient signed, where the hospital attests that; else null.
    """

    salt: Hex32
    text_digest: Hex32  # of exactly the text that was shown
    language: Name
    starts: periods.Day
    ends: periods.Day
    data_from: periods.Day | None = None
    data_until: periods.Day | None = None
    retrospective: bool = False
    diseases: tuple[str, ...] = ()
    limits: Limits = NO_LIMITS
    feedback: bool = False
    contact: Contact = "portal"
    age: Age | None = None
    mandate: Mandate | None = None
    document: Hex32 | None = None
    secret_digest: Hex32  # of the secret from which the patient's cohort keys come

    def __post_init__(self) -> None:
        force_setattr(self, "limits", shared(self.limits))  # a million grants with the same limits hold them once

    def digest(self) -> str:
        return canonical.digest("covenant.details.v1", canonical.encode(self)).hex()


class Statement(canonical.Document, frozen=True, kw_only=True):
    """What the patient signs. `text`: the consent version; months are inclusive; the rest binds key, code, details."""

    channel: Name
    hospital: Name  # MSP id
    key_digest: Hex32  # SHA-256 of the 65-byte public key
    text: Name
    preset: Name
    valid_from: periods.Month
    valid_until: periods.Month
    withdrawal_code_digest: Hex32
    details_digest: Hex32
    nonce: Hex32


class Paper(canonical.Document, frozen=True, tag="paper", tag_field="kind"):
    """Nobody's key signed: the patient signed on paper, the hospital says so, and the details name the scan."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the endorsing hospitals check: the statement's bytes, the 65-byte public key, and what stands for "signed".

    `signature`: the key's own, DER; a passkey's assertion; or paper.
    """

    statement: bytes
    key: bytes
    signature: bytes | Assertion | Paper

    @property
    def commitment(self) -> bytes:
        return commitment(self.statement, self.key)

    def check_key(self) -> None:
        """Return quietly if the statement names the key; raises GrantRefused as `verify`, but for the signature."""
        _open(self.statement, self.key)

    def verify(self, party: RelyingParty | None = None) -> Statement:
        """As `verify_grant`."""
        return verify_grant(self.statement, self.key, self.signature, party)


def new_grant(statement: Statement, details: Details, key: ec.EllipticCurvePrivateKey) -> Evidence:
    """The statement signed with the patient's key; raises GrantRefused where statement, details and key do not agree.

    Codes: `grant.details-mismatch`, `grant.key-mismatch`, `grant.dates-outside`, `mandate.*`; ConsentError `periods.*`.
    """
    check_details(statement, details)
    message, public = statement_bytes(statement), keys.public_bytes(key)
    _check_key(statement, public)
    return Evidence(message, public, keys.sign(key, message))


def statement_bytes(statement: Statement) -> bytes:
    """The bytes that are signed: the tag, a line feed, the canonical JSON."""
    return GRANT_TAG + canonical.encode(statement)


def read_statement(data: bytes) -> Statement:
    """The statement in the signed bytes `data`; raises GrantRefused `grant.malformed`."""
    if not data.startswith(GRANT_TAG):
        raise GrantRefused("grant.malformed", "a statement starts with covenant.grant.v1 and a line feed")
    try:
        return canonical.decode_as(data[len(GRANT_TAG) :], Statement)
    except CanonicalRefused as error:
        raise GrantRefused("grant.malformed", error.message) from None


def commitment(data: bytes, key: bytes) -> bytes:
    """What the ledger keeps of the signed bytes `data` under `key`: 32 bytes; raises GrantRefused `grant.key-encoding`.

    The signature is not part of it: ECDSA signatures have twins, and a twin must not make a second grant.
    """
    _check_encoding(key)
    return canonical.digest(COMMITMENT_TAG, sha256(data).digest(), key)


def verify_grant(
    data: bytes, key: bytes, signature: bytes | Assertion | Paper, party: RelyingParty | None = None
) -> Statement:
    """The statement in the signed bytes `data`, if `key` is the key named in it and the signature is that key's.

    `party`: where a passkey of this hospital signs; None where it has no address for passkeys. On paper no key signs.
    Raises GrantRefused `grant.malformed`, `grant.key-encoding`, `grant.key-mismatch`, `grant.signature-invalid`,
    `grant.passkey-*` (consent.webauthn).
    """
    statement, public = _open(data, key)
    if isinstance(signature, Paper):
        return statement
    if isinstance(signature, Assertion):
        signature.verify(public, data, party)
    elif not keys.verifies(public, signature, data):
        raise GrantRefused("grant.signature-invalid", "this is not the patient's signature under this statement")
    return statement


def check_attestation(attestation: str, signature: object) -> None:
    """Return quietly if a grant signed with `signature` may be called `attestation`.

    Who holds the key that made a plain signature, no signature shows: the hospital says `device-key` or `portal-key`.
    Raises GrantRefused `grant.attestation-mismatch`.
    """
    form = "passkey" if isinstance(signature, Assertion) else "paper" if isinstance(signature, Paper) else "key"
    if FORMS.get(attestation) != form:
        message = f"a grant attested as {attestation} is not one that was signed by {form}"
        raise GrantRefused("grant.attestation-mismatch", message, attestation=attestation)


def check_details(statement: Statement, details: Details) -> None:
    """Return quietly if `details` are those the statement was signed with, fit its months, and allow its signer this.

    Raises GrantRefused `grant.details-mismatch`, `grant.dates-outside`, `mandate.*` (`mandate.check`), ConsentError
    `periods.*`.
    """
    if details.digest() != statement.details_digest:
        raise GrantRefused("grant.details-mismatch", "these are not the details that the patient signed")
    valid = periods.months(statement.valid_from, statement.valid_until)
    if not valid.covers(periods.days(details.starts, details.ends)):
        raise GrantRefused("grant.dates-outside", "the exact days lie outside the months of the statement")
    months = (statement.valid_from, statement.valid_until)
    mandate.check(statement.preset, months, details.starts, details.age, details.mandate)


def secret_digest(secret: bytes) -> str:
    """The digest of the patient's secret (32 bytes); raises GrantRefused `grant.malformed`."""
    _check_length(secret, SECRET_BYTES, "secret")
    return canonical.digest("covenant.secret.v1", secret).hex()


def withdrawal_code_digest(code: bytes) -> str:
    """The digest of the withdrawal code (16 bytes); raises GrantRefused `grant.malformed`."""
    _check_length(code, CODE_BYTES, "withdrawal code")
    return canonical.digest("covenant.withdrawal-code.v1", code).hex()


def withdrawal_bytes(commitment_: bytes) -> bytes:
    """The bytes that a patient signs to withdraw the grant behind `commitment_` (32 bytes)."""
    _check_length(commitment_, 32, "commitment")
    return WITHDRAWAL_TAG + commitment_


def sign_withdrawal(commitment_: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The patient's signature that takes the grant back."""
    return keys.sign(key, withdrawal_bytes(commitment_))


def replacement_digest(commitment_: bytes, key: bytes) -> str:
    """What the ledger keeps of the key that may withdraw the grant in a lost key's place (65 bytes, uncompressed).

    Bound to the commitment, so that one new key in the place of two does not show that they were one patient's.
    Raises GrantRefused `grant.malformed`, `grant.key-encoding`.
    """
    _check_length(commitment_, 32, "commitment")
    _check_encoding(key)
    return canonical.digest(REPLACEMENT_TAG, commitment_, key).hex()


def verify_withdrawal(
    data: bytes,
    key: bytes,
    *,
    signature: bytes | Assertion | None = None,
    code: bytes | None = None,
    party: RelyingParty | None = None,
    replacement: bytes | None = None,
) -> Statement:
    """The statement in the signed bytes `data`, if the patient's signature or the withdrawal code takes it back.

    Exactly one of `signature` (by `key`, over tag and commitment; or a passkey's assertion of it at `party`) and `code`
    (16 bytes) must be given. `replacement`: the key (65 bytes) that took a lost one's place and signed instead; whether
    it did take its place is for the ledger to say (`replacement_digest`).
    Raises GrantRefused `grant.malformed`, `grant.key-encoding`, `grant.key-mismatch`, `grant.withdrawal-invalid`,
    `grant.passkey-*`.
    """
    statement, public = _open(data, key)
    if (signature is None) == (code is None):
        raise GrantRefused("grant.withdrawal-invalid", "withdraw either with the patient's signature or with the code")
    if code is not None:
        shown = canonical.digest("covenant.withdrawal-code.v1", code).hex()
        good = hmac.compare_digest(shown, statement.withdrawal_code_digest)
    else:
        signer = public if replacement is None else keys.load(replacement)
        good = _signed(signature, signer, withdrawal_bytes(commitment(data, key)), party)
    if not good:
        raise GrantRefused("grant.withdrawal-invalid", "this signature or code does not belong to this grant")
    return statement


def _signed(
    signature: bytes | Assertion | None, key: ec.EllipticCurvePublicKey, message: bytes, party: RelyingParty | None
) -> bool:
    """Whether `signature` is `key`'s; an assertion says itself what is wrong with it."""
    if isinstance(signature, Assertion):
        signature.verify(key, message, party)
        return True
    return signature is not None and keys.verifies(key, signature, message)


def _open(data: bytes, key: bytes) -> tuple[Statement, ec.EllipticCurvePublicKey]:
    statement = read_statement(data)
    public = keys.load(key)
    _check_key(statement, key)
    return statement, public


def _check_key(statement: Statement, key: bytes) -> None:
    if sha256(key).hexdigest() != statement.key_digest:
        raise GrantRefused("grant.key-mismatch", "the statement names another public key")


def _check_encoding(key: bytes) -> None:
    if len(key) != keys.KEY_BYTES or key[0] != keys.UNCOMPRESSED:
        raise GrantRefused("grant.key-encoding", "send the public key as an uncompressed point of 65 bytes")


def _check_length(data: bytes, length: int, what: str) -> None:
    if len(data) != length:
        raise GrantRefused("grant.malformed", f"a {what} has {length} bytes")
