"""What a receipt or proof needs to know of the ledger; `ledger.verify` answers it from an exported chain, offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from consent.webauthn import RelyingParty

Kind = Literal["training", "evaluation"]


class Terms(NamedTuple):
    """What a recorded grant says on the ledger; the signed statement says the same. `text`: the consent version."""

    text: str
    preset: str
    valid_from: str  # months, YYYY-MM, both included
    valid_until: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands on the ledger for a commitment.

    `hospital`: MSP id; None for a tombstone, which names none. Block numbers and transaction ids: of the transaction
    that recorded the grant, and of the one that withdrew it; None where there is none. `terms`, `attestation`: as
    recorded, or None. `attested_now`: the attestation today, another one where a lost key was replaced.
    """

    hospital: str | None
    recorded_block: int | None
    recorded_tx: str | None
    withdrawn_block: int | None
    withdrawn_tx: str | None
    terms: Terms | None
    attestation: str | None = None
    attested_now: str | None = None


@dataclass(frozen=True, slots=True)
class CommittedRoot:
    """One cohort root that a hospital committed in a round; `opened_block` is the block that opened the attempt."""

    attempt: int
    kind: Kind
    dataset: str  # "<msp>/<slug>"
    root: str  # 64 hex characters
    opened_block: int


class LedgerView(Protocol):
    """A verified chain of blocks."""

    def standing(self, commitment: str) -> Standing | None:
        """What stands for `commitment` (64 hex characters), or None."""

    def relying_party(self, hospital: str, block: int) -> RelyingParty | None:
        """Where passkeys of `hospital` sign, as `members` held it before `block`; None for nowhere."""

    def roots(self, hospital: str, study: str, round_: int) -> Sequence[CommittedRoot]:
        """Every root that `hospital` committed for the round: all attempts (aborted ones too), data sets and kinds."""

    def header_hash(self, height: int) -> str | None:
        """The header hash (64 hex characters) of block `height - 1`, or None where the chain has fewer blocks."""
