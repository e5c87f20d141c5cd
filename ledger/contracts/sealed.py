"""A grant as the public sees it: what the ledger keeps of a signed statement, sealed by its commitment."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from consent.canonical import Document
from consent.grant import Attestation
from ledger.contracts.fields import Digest, Month, Msp, TextId

Preset = Annotated[str, Meta(min_length=1, max_length=64)]


class SealedGrant(Document, frozen=True):
    """The public part of a grant. `valid_from`, `valid_until`: months, inclusive. `attestation`: who held the key."""

    commitment: Digest
    hospital: Msp
    text: TextId
    preset: Preset
    valid_from: Month
    valid_until: Month
    attestation: Attestation
