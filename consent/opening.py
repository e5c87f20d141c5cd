"""What a receipt and a cohort proof both open: the signed statement, its details, and the patient's secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

from consent import canonical, grant
from consent.encoding import Base64Url, Hex32, from_base64url
from consent.errors import CanonicalRefused, ConsentError, ProofRefused
from consent.ledger_view import Standing, Terms

T = TypeVar("T")
F = TypeVar("F", bound="Opening")


class Opening(canonical.Document, frozen=True, kw_only=True):
    """The base of both files. `area`: the first part of the codes that the file is refused with."""

    area: ClassVar[str]

    statement: Base64Url
    key: Base64Url
    details: grant.Details
    secret: Hex32

    @classmethod
    def read(cls: type[F], data: bytes) -> F:
        """The file in the bytes `data`; raises ProofRefused `<area>.malformed`."""
        try:
            return canonical.decode_as(data, cls)
        except CanonicalRefused as error:
            raise cls.refused("malformed", error.message) from None

    def to_bytes(self) -> bytes:
        return canonical.encode(self)

    def opened(self) -> tuple[grant.Statement, str]:
        """The statement and its commitment (hex), with details and secret checked against it.

        Raises ProofRefused `<area>.malformed`, `<area>.details-mismatch`, `<area>.secret-mismatch`.
        """
        data, key = self.well_formed(lambda: (from_base64url(self.statement), from_base64url(self.key)))
        statement = self.well_formed(lambda: grant.read_statement(data))
        commitment = self.well_formed(lambda: grant.commitment(data, key)).hex()
        if self.details.digest() != statement.details_digest:
            raise self.refused("details-mismatch", "these are not the details that were signed")
        if grant.secret_digest(bytes.fromhex(self.secret)) != self.details.secret_digest:
            raise self.refused("secret-mismatch", "this is not the secret that the details name")
        return statement, commitment

    def check_terms(self, statement: grant.Statement, standing: Standing) -> None:
        """Return quietly if the ledger recorded what was signed; raises ProofRefused `<area>.terms-mismatch`.

        A tombstone recorded nothing, so it says nothing else.
        """
        if standing.terms is None:
            return
        signed = Terms(statement.text, statement.preset, statement.valid_from, statement.valid_until)
        if other := [name for name in Terms._fields if getattr(signed, name) != getattr(standing.terms, name)]:
            message = f"the ledger has another {', another '.join(other)} than the patient signed"
            raise self.refused("terms-mismatch", message, fields=other)

    def well_formed(self, part: Callable[[], T]) -> T:
        """What `part` reads out of this file; raises ProofRefused `<area>.malformed`."""
        try:
            return part()
        except ConsentError as error:
            raise self.refused("malformed", error.message, cause=error.code) from None

    @classmethod
    def refused(cls, what: str, message: str, **context: object) -> ProofRefused:
        return ProofRefused(f"{cls.area}.{what}", message, **context)
