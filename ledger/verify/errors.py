"""What a verifier says when a ledger is not what it claims to be: where, and which check."""

from __future__ import annotations

from typing import Any

from consent.errors import CovenantError
from ledger.errors import LedgerError


class VerificationFailed(LedgerError):
    """A check that did not hold. `code` is `verify.<check>`; `block` and `transaction` (its place in the block, from 0)
    say where, None where it concerns the file or a whole block.
    """

    @property
    def block(self) -> int | None:
        block: Any = self.context.get("block")
        return None if block is None else int(block)

    @property
    def transaction(self) -> int | None:
        transaction: Any = self.context.get("transaction")
        return None if transaction is None else int(transaction)


def failed(
    check: str, message: str, *, block: int | None = None, transaction: int | None = None, **context: Any
) -> VerificationFailed:
    """The error `verify.<check>`; its message names the place."""
    where = _place(block, transaction)
    return VerificationFailed(f"verify.{check}", message + where, block=block, transaction=transaction, **context)


def of(error: CovenantError, *, block: int | None = None, transaction: int | None = None) -> VerificationFailed:
    """A lower layer's refusal (`bytes.not-canonical`) as the verifier's (`verify.bytes-not-canonical`), with its
    place.
    """
    if not isinstance(error, VerificationFailed):
        check = error.code.replace(".", "-")
        return failed(check, error.message, block=block, transaction=transaction, cause=error.code)
    if error.block is not None:
        return error
    context = {name: value for name, value in error.context.items() if name not in {"block", "transaction"}}
    check = error.code.removeprefix("verify.")
    return failed(check, error.message, block=block, transaction=transaction, **context)


def _place(block: int | None, transaction: int | None) -> str:
    if block is None:
        return ""
    return f" (block {block})" if transaction is None else f" (block {block}, transaction {transaction})"
