"""A withdrawal handed in here without an account, for a grant at any hospital: kept until it is recorded."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import transaction

from portal.patients import sending
from portal.patients.models import Grant, HandedIn
from portal.withdrawals import acknowledging
from portal.withdrawals.handed import Handed, standing, withdrawn_block


def known(commitment: str) -> bool:
    """Whether a consent stands under `commitment` (hex) here, be it on its way to the ledger."""
    return standing(commitment) is not None or Grant.objects.filter(commitment=commitment).exists()


def hand_in(handed: Handed) -> HandedIn:
    """Withdraw the grant that `handed` is about.

    Acknowledged at once and sent to the ledger, now or later; a grant of this hospital stops counting here at once.
    The same again is answered with what stands.
    """
    commitment, now = handed.commitment, datetime.now(UTC)
    with transaction.atomic():
        row, _ = HandedIn.objects.get_or_create(
            commitment=commitment.hex(),
            defaults={
                "statement": handed.statement,
                "key": handed.key,
                "code": handed.code,
                "signature": handed.signature,
                "acknowledgement": acknowledging.acknowledge(commitment, now, handed.how),
                "withdrawn_block": withdrawn_block(commitment.hex()),
            },
        )
        own = Grant.objects.filter(commitment=commitment.hex(), local_withdrawn_at=None)
        own.update(local_withdrawn_at=now, acknowledgement=bytes(row.acknowledgement))
    if row.withdrawn_block is None:
        sending.send_handed_in([row])
    row.refresh_from_db(fields=["acknowledgement"])
    acknowledging.read_back(bytes(row.acknowledgement), row.commitment)
    return row
