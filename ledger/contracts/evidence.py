"""The evidence for a grant or a withdrawal: seen by every endorser, kept by none, able only to refuse.

The signed statement, the patient's key and the signature are checked by `consent.grant`; here they are held against
what the public arguments say.
"""

from __future__ import annotations

from typing import Literal

from consent import grant as grants
from consent.canonical import Document
from consent.encoding import from_base64url
from consent.errors import CanonicalRefused, GrantRefused
from consent.grant import Paper
from consent.webauthn import Assertion, RelyingParty
from ledger.contracts.fields import Base64Url
from ledger.contracts.sealed import SealedGrant
from ledger.errors import Refused

By = Literal["signature", "passkey", "code"]


class Evidence(Document, frozen=True):
    """The signed statement's bytes, the key as a 65-byte uncompressed point; each base64url. And what stands for
    "signed": the key's DER signature (base64url), a passkey's assertion, or paper.
    """

    statement: Base64Url
    key: Base64Url
    signature: Base64Url | Assertion | Paper


class WithdrawalEvidence(Document, frozen=True):
    """The signed statement, its key, and the withdrawal's signature (or a passkey's assertion of it) or 16-byte code.

    `replacement`: where the lost key was replaced, the new one, which signed. All base64url.
    """

    statement: Base64Url
    key: Base64Url
    signature: Base64Url | Assertion | None
    code: Base64Url | None
    replacement: Base64Url | None = None


def check_grant(grant: SealedGrant, evidence: Evidence, channel: str, party: RelyingParty | None) -> None:
    """Return quietly if the patient signed exactly `grant`, for this channel, in the way that it is attested.

    `party`: where passkeys of the grant's hospital sign.
    Refuses `consents.evidence-invalid`, `consents.attestation-mismatch`, `consents.malformed`,
    `consents.key-encoding`, `consents.key-mismatch`, `consents.signature-invalid`, `consents.passkey-*`,
    `consents.wrong-channel`, `consents.wrong-hospital`, `consents.commitment-mismatch`, `consents.statement-mismatch`.
    """
    statement_bytes, point, signature = opened(evidence.statement), opened(evidence.key), evidence.signature
    try:
        grants.check_attestation(grant.attestation, signature)
        shown = opened(signature) if isinstance(signature, str) else signature
        statement = grants.verify_grant(statement_bytes, point, shown, party)
    except GrantRefused as error:
        raise Refused(
            error.code.replace("grant.", "consents.", 1), error.message, commitment=grant.commitment
        ) from None
    if statement.channel != channel:
        raise Refused(
            "consents.wrong-channel", "this statement was signed for another ledger", commitment=grant.commitment
        )
    if statement.hospital != grant.hospital:
        raise Refused(
            "consents.wrong-hospital", "this statement was signed for another hospital", commitment=grant.commitment
        )
    if grants.commitment(statement_bytes, point).hex() != grant.commitment:
        raise Refused(
            "consents.commitment-mismatch",
            "the commitment is not that of this statement and key",
            commitment=grant.commitment,
        )
    for name in ("text", "preset", "valid_from", "valid_until"):
        if getattr(statement, name) != getattr(grant, name):
            raise Refused(
                "consents.statement-mismatch",
                f"the patient signed another {name}",
                commitment=grant.commitment,
                field=name,
            )


def refusal_of(channel: str, party: RelyingParty | None, entry: tuple[SealedGrant, Evidence]) -> Refused | None:
    """What `check_grant` refuses `entry` with; None for a grant that stands."""
    try:
        check_grant(*entry, channel, party)
    except Refused as refusal:
        return refusal
    return None


def check_withdrawal(
    commitment: str,
    by: By,
    evidence: WithdrawalEvidence,
    channel: str,
    *,
    replacement: str | None,
    party: RelyingParty | None,
) -> None:
    """Return quietly if the one who signed the grant, or holds its code, withdraws it.

    `replacement`: digest of the key that stands in a lost one's place. `party`: where a passkey may have signed.
    Refuses `consents.evidence-invalid`, `consents.wrong-channel`, `consents.withdrawal-invalid`.
    """

    def refused(message: str, **context: object) -> Refused:
        return Refused("consents.withdrawal-invalid", message, commitment=commitment, **context)

    statement_bytes, point = opened(evidence.statement), opened(evidence.key)
    replacing = None if evidence.replacement is None else opened(evidence.replacement)
    proof = evidence.code if by == "code" else evidence.signature
    if proof is None or isinstance(proof, Assertion) != (by == "passkey"):
        raise refused(f"a withdrawal by {by} shows the {by}")
    shown = opened(proof) if isinstance(proof, str) else proof
    try:
        if by == "code":
            assert isinstance(shown, bytes)
            statement = grants.verify_withdrawal(statement_bytes, point, code=shown)
        else:
            statement = grants.verify_withdrawal(
                statement_bytes, point, signature=shown, party=party, replacement=replacing
            )
        known = grants.commitment(statement_bytes, point)
        if known.hex() != commitment:
            raise refused("this statement is not the one to be withdrawn")
        if replacing is not None and grants.replacement_digest(known, replacing) != replacement:
            raise refused("this key does not stand in the place of the one that signed")
    except GrantRefused as error:
        raise refused(error.message, cause=error.code) from None
    if statement.channel != channel:
        raise Refused("consents.wrong-channel", "this statement was signed for another ledger", commitment=commitment)


def opened(text: str) -> bytes:
    try:
        return from_base64url(text)
    except CanonicalRefused as error:
        raise Refused("consents.evidence-invalid", error.message) from None
