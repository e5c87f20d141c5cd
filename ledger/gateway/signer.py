"""Who signs: an identity with its key at hand, or one whose key is elsewhere (offline signing)."""

from __future__ import annotations

from typing import Protocol

from ledger.errors import LedgerError


class Signer(Protocol):
    """An identity of the ledger. ledger.identity's Identity is one.

    `serialized`: the bytes of Fabric's SerializedIdentity (MSP id and certificate). `sign`: ECDSA P-256 over SHA-256
    of the message, DER, low-S; thread safe.
    """

    @property
    def serialized(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


class OfflineSigner:
    """An identity whose key this process does not hold: everything is built here and signed elsewhere.

    Take `.digest` (and `.bytes`) of a Proposal, Transaction, Commit or request, sign the digest where the key is, and
    hand bytes and signature to Gateway.signed_proposal, signed_transaction or signed_commit.
    """

    def __init__(self, serialized: bytes) -> None:
        self.serialized = serialized

    def sign(self, message: bytes) -> bytes:
        """Always raises LedgerError `gateway.unsigned`."""
        raise LedgerError(
            "gateway.unsigned",
            "this identity's key is elsewhere: sign the digest there, then hand bytes and signature to the gateway",
        )
