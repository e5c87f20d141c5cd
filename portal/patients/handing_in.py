"""A withdrawal by receipt and code, without an account, for a grant at any hospital of this ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from consent import canonical, grant
from consent.encoding import from_base64url
from consent.errors import ConsentError, GrantRefused
from portal.errors import PortalError
from portal.patients import acknowledging, sending
from portal.patients.models import Grant, HandedIn


def hand_in(*, receipt: bytes, code: bytes) -> HandedIn:
    """Withdraw the grant that `receipt` (the file; statement and key suffice) is about, by `code` (16 bytes).

    Acknowledged at once and sent to the ledger, now or later; a grant of this hospital stops counting here at once.
    The same again is answered with what stands. Raises PortalError `patients.receipt-unreadable`,
    `patients.other-ledger`, GrantRefused `grant.withdrawal-invalid` for a code of another grant.
    """
    statement, key = opened(receipt)
    signed = grant.verify_withdrawal(statement, key, code=code)
    if signed.channel != settings.NODE.channel:
        raise PortalError(
            "patients.other-ledger", "this receipt belongs to another group of hospitals: go to its address"
        )
    commitment = grant.commitment(statement, key)
    now = datetime.now(UTC)
    with transaction.atomic():
        handed, _ = HandedIn.objects.get_or_create(
            commitment=commitment.hex(),
            defaults={
                "statement": statement,
                "key": key,
                "code": code,
                "acknowledgement": acknowledging.acknowledge(commitment, now, "code"),
            },
        )
        own = Grant.objects.filter(commitment=commitment.hex(), local_withdrawn_at=None)
        own.update(local_withdrawn_at=now, acknowledgement=bytes(handed.acknowledgement))
    if handed.withdrawn_block is None:
        sending.send_handed_in([handed])
    return handed


def opened(receipt: bytes) -> tuple[bytes, bytes]:
    """The signed statement and the public key in a receipt."""
    try:
        body: Any = canonical.decode(receipt.strip())
        statement, key = from_base64url(body["statement"]), from_base64url(body["key"])
        grant.read_statement(statement)
    except (ConsentError, GrantRefused, KeyError, TypeError, AttributeError):
        raise PortalError(
            "patients.receipt-unreadable", "this is not a receipt of ours: choose the file receipt.json"
        ) from None
    return statement, key
