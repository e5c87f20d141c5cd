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
from ledger.contracts.fields import Base64Url
from ledger.contracts.sealed import SealedGrant
from ledger.errors import Refused


class Evidence(Document, frozen=True):
    """The signed statement's bytes, the key as a 65-byte uncompressed point, the DER signature; each base64url."""

    statement: Base64Url
    key: Base64Url
    signature: Base64Url


class WithdrawalEvidence(Document, frozen=True):
    """The signed statement, its key, and the withdrawal's signature or the 16-byte code; each base64url."""

    statement: Base64Url
    key: Base64Url
    signature: Base64Url | None
    code: Base64Url | None


def check_grant(grant: SealedGrant, evidence: Evidence, channel: str) -> None:
    """Return quietly if the patient signed exactly `grant`, for this channel.

    Refuses `consents.evidence-invalid`, `consents.malformed`, `consents.key-encoding`, `consents.key-mismatch`,
    `consents.signature-invalid`, `consents.wrong-channel`, `consents.wrong-hospital`, `consents.commitment-mismatch`,
    `consents.statement-mismatch`.
    """
    statement_bytes, point = opened(evidence.statement), opened(evidence.key)
    try:
        statement = grants.verify_grant(statement_bytes, point, opened(evidence.signature))
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


def check_withdrawal(
    commitment: str, by: Literal["signature", "code"], evidence: WithdrawalEvidence, channel: str
) -> None:
    """Return quietly if the one who signed the grant, or holds its code, withdraws it.

    Refuses `consents.evidence-invalid`, `consents.wrong-channel`, `consents.withdrawal-invalid`.
    """
    statement_bytes, point = opened(evidence.statement), opened(evidence.key)
    proof = evidence.signature if by == "signature" else evidence.code
    if proof is None:
        raise Refused("consents.withdrawal-invalid", f"a withdrawal by {by} shows the {by}", commitment=commitment)
    try:
        if by == "signature":
            statement = grants.verify_withdrawal(statement_bytes, point, signature=opened(proof))
        else:
            statement = grants.verify_withdrawal(statement_bytes, point, code=opened(proof))
        if grants.commitment(statement_bytes, point).hex() != commitment:
            raise Refused(
                "consents.withdrawal-invalid", "this statement is not the one to be withdrawn", commitment=commitment
            )
    except GrantRefused as error:
        raise Refused("consents.withdrawal-invalid", error.message, commitment=commitment, cause=error.code) from None
    if statement.channel != channel:
        raise Refused("consents.wrong-channel", "this statement was signed for another ledger", commitment=commitment)


def opened(text: str) -> bytes:
    try:
        return from_base64url(text)
    except CanonicalRefused as error:
        raise Refused("consents.evidence-invalid", error.message) from None
