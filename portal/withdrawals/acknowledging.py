"""This member's word that it received a withdrawal: signed at once, ledger or no ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from django.conf import settings
from django.utils.translation import gettext_noop

from consent import canonical
from consent.errors import CovenantError
from consent.keys import public_bytes
from consent.receipt import Acknowledgement, SignedAcknowledgement, sign_acknowledgement, verify_acknowledgement
from ledger.identity.validation import Validator
from ledger.protocol import identity as identities
from ledger.protocol.configuration import MspConfig
from portal import ledger
from portal.errors import PortalError

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


def read_back(file: bytes, commitment: str) -> Acknowledgement:
    """What a kept acknowledgement says, checked as its reader would: about `commitment` (hex), signed by this member
    with a certificate of its own authority that held when it was signed.

    Raises PortalError `withdrawals.acknowledgement-invalid`.
    """
    own = ledger.identity(signer())
    try:
        signed = canonical.decode_as(file, SignedAcknowledgement)
        said = signed.acknowledgement
        judge = Validator({own.msp_id: MspConfig(own.msp_id, (own.ca,))})
        who = judge.member(identities.pack(said.received_by, signed.certificate.encode()), said.received_at)
        verify_acknowledgement(signed, public_bytes(who.key))
    except CovenantError as error:
        raise invalid(error.code) from None
    if said.commitment != commitment:
        raise invalid("another-commitment")
    return said


def invalid(cause: str) -> PortalError:
    message = gettext_noop("the answer that is kept about this withdrawal does not check: tell the hospital")
    return PortalError("withdrawals.acknowledgement-invalid", message, cause=cause)
