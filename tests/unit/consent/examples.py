"""A patient, her signed grant and a ledger that knows of it, for the tests of consent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from consent import grant, keys
from consent.decide import ConsentView
from consent.grant import Details, Evidence, Statement
from consent.ledger_view import CommittedRoot, Standing, Terms
from consent.purpose import Purpose
from consent.webauthn import RelyingParty

HEART, CORONARY, CANCER = "MONDO:0005267", "MONDO:0005010", "MONDO:0004992"
STUDY = "6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11"
TERMS = Terms("heart-2026.1", "heart-disease", "2026-01", "2027-03")  # what every example grant says
OTHER_TERMS = [("text", "heart-2026.2"), ("preset", "cancer"), ("valid_from", "2026-02"), ("valid_until", "2027-04")]
IN_2026 = 1_780_000_000  # 2026-05-28, UTC


def study(kind: str, wanted: Iterable[str] = (), **how: Any) -> Purpose:
    """The purpose of a study by an organisation that says that neither it nor the study is for gain."""
    return Purpose.of(kind, wanted, **({"commercial": False, "for_profit": False} | how))


@dataclass(frozen=True)
class Patient:
    """What one patient has: all of it fixed by `number`."""

    number: int = 1

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(self.bytes("key")) >> 1, ec.SECP256R1())

    @property
    def secret(self) -> bytes:
        return self.bytes("secret")

    @property
    def code(self) -> bytes:
        return self.bytes("code")[:16]

    def bytes(self, what: str) -> bytes:
        return sha256(f"{what} of patient {self.number}".encode()).digest()

    def details(self, **changed: Any) -> Details:
        plain = {
            "salt": self.bytes("salt").hex(),
            "text_digest": sha256(b"the text that was shown").hexdigest(),
            "language": "en",
            "starts": "2026-01-15",
            "ends": "2027-03-20",
            "retrospective": True,
            "secret_digest": grant.secret_digest(self.secret),
        }
        return Details(**(plain | changed))

    def statement(self, details: Details, **changed: Any) -> Statement:
        plain = {
            "channel": "covenant",
            "hospital": "ClevelandMSP",
            "key_digest": sha256(keys.public_bytes(self.key)).hexdigest(),
            "text": "heart-2026.1",
            "preset": "heart-disease",
            "valid_from": "2026-01",
            "valid_until": "2027-03",
            "withdrawal_code_digest": grant.withdrawal_code_digest(self.code),
            "details_digest": details.digest(),
            "nonce": self.bytes("nonce").hex(),
        }
        return Statement(**(plain | changed))

    def grant(self, **changed: Any) -> Evidence:
        details = self.details()
        return grant.new_grant(self.statement(details, **changed), details, self.key)

    def view(self, **changed: Any) -> ConsentView:
        plain = {
            "status": "active",
            "preset": "heart-disease",
            "valid_from": "2026-01",
            "valid_until": "2027-03",
            "recorded_at": IN_2026 - 86_400,
            "withdrawn_at": None,
            "details": self.details(),
        }
        return ConsentView(**(plain | changed))


@dataclass
class Chain:
    """A ledger as `consent` sees one: what stands, which roots were committed, the header hashes."""

    standings: dict[str, Standing] = field(default_factory=dict)
    committed: dict[tuple[str, str, int], list[CommittedRoot]] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)
    parties: dict[str, RelyingParty] = field(default_factory=dict)

    def standing(self, commitment: str) -> Standing | None:
        return self.standings.get(commitment)

    def roots(self, hospital: str, study: str, round_: int) -> list[CommittedRoot]:
        return self.committed.get((hospital, study, round_), [])

    def relying_party(self, hospital: str, block: int) -> RelyingParty | None:
        return self.parties.get(hospital)

    def header_hash(self, height: int) -> str | None:
        return self.headers[height - 1] if 0 < height <= len(self.headers) else None
