"""What a patient signs with a key of their own away from the pages: a file that says what it is, and opens it.

Whoever signs sees the choices, and not a digest alone: the details in the file are those that the statement names. The
key never leaves its owner, so a hospital may call such a grant `device-key`.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, Literal

from msgspec.structs import asdict

from consent import canonical, grant
from consent.encoding import Base64Url, from_base64url
from consent.errors import CanonicalRefused, GrantRefused

UNSAID: Final = frozenset({"salt", "secret_digest", "text_digest"})  # of the details: nothing that anybody chose


class ToSign(canonical.Document, frozen=True, kw_only=True):
    """The file. `statement`, `key`: of the consent that is given or withdrawn; `details`: what the statement names."""

    format: Literal["covenant.to-sign.v1"] = "covenant.to-sign.v1"
    act: Literal["consent", "withdrawal"]
    statement: Base64Url
    key: Base64Url
    details: grant.Details

    @classmethod
    def read(cls, data: bytes) -> ToSign:
        """The file in the bytes `data`; raises GrantRefused `to-sign.malformed`."""
        try:
            return canonical.decode_as(data, cls)
        except CanonicalRefused as error:
            raise GrantRefused("to-sign.malformed", f"this is no file to sign: {error.message}") from None

    def message(self, own: bytes) -> bytes:
        """The bytes that the owner of the key `own` (65 bytes) signs, once the file has shown that it says what it is.

        Raises GrantRefused `to-sign.malformed`, `to-sign.other-key`, `grant.*`.
        """
        data, key, statement = self._opened()
        if sha256(key).hexdigest() != statement.key_digest:
            raise GrantRefused("grant.key-mismatch", "the statement names another public key")
        grant.check_details(statement, self.details)
        if self.act == "withdrawal":  # also with the key that took a lost one's place
            return grant.withdrawal_bytes(grant.commitment(data, key))
        if key != own:
            raise GrantRefused(
                "to-sign.other-key", "this file is for another key: register yours at the hospital first"
            )
        return data

    def lines(self) -> list[str]:
        """What is signed, for a reader; raises GrantRefused `to-sign.malformed`."""
        _, _, statement = self._opened()
        does = "Gives consent" if self.act == "consent" else "Withdraws the consent"
        months = f"from {statement.valid_from} to {statement.valid_until}"
        head = (
            f"{does} at {statement.hospital} on {statement.channel}: {statement.preset} under the text {statement.text}"
        )
        chosen = {name: value for name, value in asdict(self.details).items() if name not in UNSAID}
        said = [f"  {name}: {canonical.encode(value).decode()}" for name, value in sorted(chosen.items())]
        return [f"{head}, {months}.", *said]

    def _opened(self) -> tuple[bytes, bytes, grant.Statement]:
        try:
            data, key = from_base64url(self.statement), from_base64url(self.key)
        except CanonicalRefused as error:
            raise GrantRefused("to-sign.malformed", f"this is no file to sign: {error.message}") from None
        return data, key, grant.read_statement(data)
