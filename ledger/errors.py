"""The errors of the ledger package: one base, and the refusal of a contract, which is an answer, not a failure.

>>> str(Refused("consents.text-unknown", "publish the text first", text="heart-2026.1"))
'consents.text-unknown: publish the text first'
"""

from __future__ import annotations

from consent.errors import CovenantError


class LedgerError(CovenantError):
    """The base of every error of the ledger package."""


class Refused(LedgerError):
    """A contract said no: nothing was written, and the same transaction would be refused by every endorser.

    `code` is the contract's own stable code (docs/formats/contracts.md lists them all); `context` names the entry,
    field or organisation concerned, so that a page can point at it.
    """
