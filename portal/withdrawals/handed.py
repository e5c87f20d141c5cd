"""What somebody without an account hands in: a consent's signed statement, and what takes it back.

It is checked first and counted after: a withdrawal of a consent that stands always gets through, whoever else tries
from the same address. Counted are tries that prove nothing, and withdrawals of what the ledger does not know, since
anybody can make a statement of their own and each would be a transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from django.conf import settings
from django.utils.translation import gettext_noop

from consent import canonical, grant
from consent.encoding import from_base64url, to_base64url
from consent.errors import ConsentError, CovenantError, GrantRefused
from portal.errors import PortalError
from portal.limits import Limit
from portal.reactor import selectors as mirror
from training.site.gate import BY_PATIENT

TRIES = Limit("hand-in", 10, 600)


@dataclass(frozen=True, slots=True)
class Handed:
    """A withdrawal that proves itself: exactly one of `code` (16 bytes) and `signature` is there."""

    statement: bytes
    key: bytes
    code: bytes | None
    signature: bytes | None

    @property
    def commitment(self) -> bytes:
        return grant.commitment(self.statement, self.key)

    @property
    def how(self) -> Literal["signature", "code"]:
        return "code" if self.signature is None else "signature"

    @property
    def evidence(self) -> dict[str, str | None]:
        """What endorsers see of it, and no block holds."""
        return evidence(self.statement, self.key, code=self.code, signature=self.signature)

    def as_receipt(self) -> str:
        """So much of the receipt as handing it in once more needs."""
        named = {name: value for name, value in self.evidence.items() if name in ("statement", "key")}
        return canonical.encode(named).decode()


def admit(
    who: str,
    *,
    receipt: bytes,
    code: bytes | None,
    signature: bytes | None,
    known: Callable[[str], bool] = lambda commitment: standing(commitment) is not None,
) -> Handed:
    """The withdrawal in `receipt` (the file; statement and key suffice) with its code or signature.

    `who`: the address it came from. `known`: whether a commitment (hex) stands here already.
    Raises PortalError `patients.receipt-unreadable`, `patients.other-ledger`, GrantRefused `grant.*`; TooMany.
    """
    try:
        handed = verified(receipt, code, signature)
    except CovenantError:
        TRIES.count(who)
        raise
    if not known(handed.commitment.hex()):
        TRIES.count(who)
    return handed


def verified(receipt: bytes, code: bytes | None, signature: bytes | None) -> Handed:
    statement, key = opened(receipt)
    signed = grant.verify_withdrawal(statement, key, code=code, signature=signature)
    if signed.channel != settings.NODE.channel:
        raise PortalError(
            "patients.other-ledger",
            gettext_noop("this receipt belongs to another group of hospitals: go to its address"),
        )
    return Handed(statement, key, code, signature)


def opened(receipt: bytes) -> tuple[bytes, bytes]:
    """The signed statement and the public key in a receipt."""
    try:
        body: Any = canonical.decode(receipt.strip())
        statement, key = from_base64url(body["statement"]), from_base64url(body["key"])
        grant.read_statement(statement)
    except (ConsentError, GrantRefused, KeyError, TypeError, AttributeError):
        raise PortalError(
            "patients.receipt-unreadable", gettext_noop("this is not a receipt of ours: choose the file receipt.json")
        ) from None
    return statement, key


def evidence(statement: bytes, key: bytes, *, code: bytes | None, signature: bytes | None) -> dict[str, str | None]:
    """The evidence of a withdrawal as the contract takes it."""
    return {
        "statement": to_base64url(statement),
        "key": to_base64url(key),
        "signature": None if signature is None else to_base64url(signature),
        "code": None if code is None else to_base64url(code),
    }


def standing(commitment: str) -> str | None:
    """The status that `commitment` (hex) has in this node's mirror of the ledger; None where it is unknown."""
    record = mirror.record(f"consents/{commitment}")
    return None if record is None else str(record["status"])


def withdrawn_block(commitment: str) -> int | None:
    """The block in which the patient withdrew `commitment`, once the mirror has it: then nothing is left to do."""
    found = mirror.standing(f"consents/{commitment}").filter(key=f"consents/{commitment}").first()
    return found.block if found is not None and found.body.get("withdrawn_by") in BY_PATIENT else None
