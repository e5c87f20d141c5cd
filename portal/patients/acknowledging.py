"""The hospital's word that it received a withdrawal: signed by its registrar, at once, ledger or no ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from consent import canonical
from consent.receipt import Acknowledgement, SignedAcknowledgement, sign_acknowledgement
from portal import ledger


def acknowledge(
    commitment: bytes, when: datetime, how: Literal["signature", "code", "registrar"] = "signature"
) -> bytes:
    """The signed acknowledgement as the file a patient keeps (canonical JSON)."""
    registrar = ledger.identity("registrar")
    said = Acknowledgement(
        commitment=commitment.hex(), received_by=registrar.msp_id, received_at=int(when.timestamp()), how=how
    )
    return canonical.encode(sign_acknowledgement(said, registrar.key, registrar.pem.decode()))


def read(data: bytes) -> SignedAcknowledgement:
    return canonical.decode_as(data, SignedAcknowledgement)
