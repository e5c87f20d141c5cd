"""What a patient keeps: a receipt for a recorded grant, and the hospital's acknowledgement of a withdrawal.

Both are checked offline. A receipt carries the ledger's height and header hash, so whoever holds one finds a chain that
was cut short or rewritten; it also carries the secret and the withdrawal code: it is to be kept like a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta

from consent import canonical, grant, keys
from consent.encoding import Base64Url, Hex32, from_base64url, to_base64url
from consent.errors import ConsentError, ProofRefused
from consent.ledger_view import LedgerView, Standing
from consent.opening import Opening
from consent.status import Status
from consent.webauthn import Assertion

ACKNOWLEDGEMENT_TAG = b"covenant.acknowledgement.v1\n"
Seconds = Annotated[int, Meta(ge=0)]


class LedgerHead(canonical.Document, frozen=True, kw_only=True):
    """How far a ledger had come: its number of blocks, and the header hash of its last block."""

    height: Annotated[int, Meta(ge=1)]
    header_hash: Hex32


class Receipt(Opening, frozen=True, kw_only=True):
    """The receipt file. `tx_id`: the transaction that recorded the grant; `head`: the ledger then or later."""

    area: ClassVar[str] = "receipt"

    format: Literal["covenant.receipt.v1"] = "covenant.receipt.v1"
    signature: Base64Url | Assertion | grant.Paper
    withdrawal_code: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    tx_id: Hex32
    head: LedgerHead

    @property
    def evidence(self) -> grant.Evidence:
        """The signed grant; raises CanonicalRefused `canonical.base64url`."""
        signature = from_base64url(self.signature) if isinstance(self.signature, str) else self.signature
        return grant.Evidence(from_base64url(self.statement), from_base64url(self.key), signature)


@dataclass(frozen=True, slots=True)
class ReceiptReport:
    """What a receipt has shown: the grant, how it was signed, and what the ledger says of it today.

    `rekeyed`: the key was replaced since, so that today the hospital attests the grant.
    """

    commitment: str
    hospital: str
    status: Status
    recorded_block: int
    withdrawn_block: int | None
    attestation: str
    rekeyed: bool


class Acknowledgement(canonical.Document, frozen=True, kw_only=True):
    """A hospital's word that it received a withdrawal, given before the ledger has it."""

    format: Literal["covenant.acknowledgement.v1"] = "covenant.acknowledgement.v1"
    commitment: Hex32
    received_by: grant.Name  # MSP id
    received_at: Seconds  # epoch seconds
    how: Literal["signature", "code", "registrar"]


class SignedAcknowledgement(canonical.Document, frozen=True, kw_only=True):
    """An acknowledgement under the signature of the receiving hospital's ledger identity.

    `certificate`: PEM; whether it is that hospital's is for `ledger.identity` to say.
    """

    acknowledgement: Acknowledgement
    certificate: str
    signature: Base64Url


def build_receipt(
    evidence: grant.Evidence, details: grant.Details, *, secret: bytes, code: bytes, tx_id: str, head: LedgerHead
) -> Receipt:
    """The receipt of a recorded grant; `verify_receipt` is what checks it."""
    return Receipt(
        statement=to_base64url(evidence.statement),
        key=to_base64url(evidence.key),
        signature=to_base64url(evidence.signature) if isinstance(evidence.signature, bytes) else evidence.signature,
        details=details,
        secret=secret.hex(),
        withdrawal_code=code.hex(),
        tx_id=tx_id,
        head=head,
    )


def read_receipt(data: bytes) -> Receipt:
    """The receipt in the file's bytes; raises ProofRefused `receipt.malformed`."""
    return Receipt.read(data)


def verify_receipt(receipt: Receipt, ledger: LedgerView) -> ReceiptReport:
    """Return what `receipt` has shown, or raise ProofRefused; then it has shown nothing.

    Codes: `receipt.malformed`, `receipt.details-mismatch`, `receipt.secret-mismatch`, `receipt.code-mismatch`,
    `receipt.head-mismatch` (the chain was cut short or rewritten), `receipt.commitment-unknown`,
    `receipt.terms-mismatch` (the ledger has another text, preset or months than were signed),
    `receipt.transaction-mismatch`, `receipt.attestation-mismatch` (the ledger says that it was signed in another way),
    `receipt.signature-invalid` (context `cause`: what a passkey's assertion lacks).
    """
    statement, commitment = _check_opened(receipt)
    if ledger.header_hash(receipt.head.height) != receipt.head.header_hash:
        raise ProofRefused("receipt.head-mismatch", "this ledger was cut short or rewritten since then")
    standing = ledger.standing(commitment)
    if standing is None or standing.recorded_block is None or standing.hospital != statement.hospital:
        raise ProofRefused("receipt.commitment-unknown", "no such grant stands on this ledger for this hospital")
    receipt.check_terms(statement, standing)
    if standing.recorded_tx != receipt.tx_id or standing.recorded_block >= receipt.head.height:
        raise ProofRefused("receipt.transaction-mismatch", "the grant was recorded by another transaction, or later")
    _check_signature(receipt, standing, ledger)
    withdrawn = standing.withdrawn_block
    status: Status = "active" if withdrawn is None else "withdrawn"
    return ReceiptReport(
        commitment,
        statement.hospital,
        status,
        standing.recorded_block,
        withdrawn,
        attestation=standing.attestation or "",
        rekeyed=standing.attested_now != standing.attestation,
    )


def acknowledgement_bytes(acknowledgement: Acknowledgement) -> bytes:
    """The bytes that the receiving hospital signs: the tag, a line feed, the canonical JSON."""
    return ACKNOWLEDGEMENT_TAG + canonical.encode(acknowledgement)


def sign_acknowledgement(
    acknowledgement: Acknowledgement, key: ec.EllipticCurvePrivateKey, certificate: str
) -> SignedAcknowledgement:
    """The acknowledgement under `key`, which belongs to `certificate` (PEM)."""
    signature = to_base64url(keys.sign(key, acknowledgement_bytes(acknowledgement)))
    return SignedAcknowledgement(acknowledgement=acknowledgement, certificate=certificate, signature=signature)


def verify_acknowledgement(signed: SignedAcknowledgement, key: bytes) -> None:
    """Return quietly if `key` (65 bytes, taken from a certificate that was checked) signed it.

    Raises ProofRefused `receipt.acknowledgement-invalid`.
    """
    try:
        message = acknowledgement_bytes(signed.acknowledgement)
        good = keys.verifies(keys.load(key), from_base64url(signed.signature), message)
    except ConsentError:
        good = False
    if not good:
        raise ProofRefused("receipt.acknowledgement-invalid", "this hospital did not sign this acknowledgement")


def _check_opened(receipt: Receipt) -> tuple[grant.Statement, str]:
    """The statement and its commitment (hex), with key, details, secret and code checked against it."""
    evidence = receipt.well_formed(lambda: receipt.evidence)
    receipt.well_formed(evidence.check_key)
    statement, commitment = receipt.opened()
    if grant.withdrawal_code_digest(bytes.fromhex(receipt.withdrawal_code)) != statement.withdrawal_code_digest:
        raise ProofRefused("receipt.code-mismatch", "this is not the withdrawal code that was signed")
    return statement, commitment


def _check_signature(receipt: Receipt, standing: Standing, ledger: LedgerView) -> None:
    """Return quietly if the grant was signed as the ledger says, at the hospital's pages as they were then."""
    evidence = receipt.evidence
    assert standing.hospital is not None and standing.recorded_block is not None
    try:
        grant.check_attestation(standing.attestation or "", evidence.signature)
        passkey = isinstance(evidence.signature, Assertion)
        evidence.verify(ledger.relying_party(standing.hospital, standing.recorded_block) if passkey else None)
    except ConsentError as error:
        what = "attestation-mismatch" if error.code == "grant.attestation-mismatch" else "signature-invalid"
        raise receipt.refused(what, error.message, cause=error.code) from None
