"""A grant as the public sees it: what the ledger keeps of a signed statement, sealed by its commitment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from msgspec import Meta

from consent.canonical import Document
from consent.grant import Attestation
from ledger.contracts.constitution import MAX_BATCH
from ledger.contracts.fields import Digest, Month, Msp, TextId

Preset = Annotated[str, Meta(min_length=1, max_length=64)]
Place = Annotated[int, Meta(ge=0, le=MAX_BATCH - 1)]


class SealedTerms(Document, frozen=True):
    """What grants of a batch may say alike, and then say once. `valid_from`, `valid_until`: months, inclusive.
    `attestation`: who held the key.
    """

    hospital: Msp
    text: TextId
    preset: Preset
    valid_from: Month
    valid_until: Month
    attestation: Attestation


class SealedGrant(SealedTerms, frozen=True):
    """The public part of a grant."""

    commitment: Digest


def seal(terms: SealedTerms, commitment: str) -> SealedGrant:
    """The grant of that commitment which says `terms`."""
    return SealedGrant(
        commitment=commitment,
        hospital=terms.hospital,
        text=terms.text,
        preset=terms.preset,
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
        attestation=terms.attestation,
    )


def batched(grants: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The arguments of `consents:RecordBatch` for `grants`, each as a SealedGrant is sent, in their order."""
    places: dict[tuple[Any, ...], int] = {}
    names = SealedTerms.__struct_fields__
    entries = [
        [each["commitment"], places.setdefault(tuple(each[name] for name in names), len(places))] for each in grants
    ]
    return {"grants": entries, "terms": [dict(zip(names, values, strict=True)) for values in places]}
