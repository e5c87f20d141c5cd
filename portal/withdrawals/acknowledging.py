"""This member's word that it received a withdrawal: signed at once, ledger or no ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from django.conf import settings

from consent import canonical
from consent.receipt import Acknowledgement, sign_acknowledgement
from portal import ledger

SIGNER = {"hospital": "registrar", "hub": "runner"}


def signer() -> str:
    """The role that this node acknowledges withdrawals and brings them to the ledger as."""
    return SIGNER[settings.NODE.role]


def acknowledge(
    commitment: bytes, when: datetime, how: Literal["signature", "code", "registrar"] = "signature"
) -> bytes:
    """The signed acknowledgement as the file a patient keeps (canonical JSON)."""
    identity = ledger.identity(signer())
    said = Acknowledgement(
        commitment=commitment.hex(), received_by=identity.msp_id, received_at=int(when.timestamp()), how=how
    )
    return canonical.encode(sign_acknowledgement(said, identity.key, identity.pem.decode()))
