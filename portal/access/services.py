"""Requests, decisions and questions go to the ledger; the pages change when the ledger's events arrive."""

from __future__ import annotations

import datetime
import secrets
import uuid
from typing import Any

from django.conf import settings

from consent import canonical
from consent.purpose import Purpose
from ledger.errors import Refused
from ledger.gateway import Committed
from portal import ledger
from portal.access.models import Protocol, Reason
from portal.access.selectors import Case


def ask_for_access(
    *, request: uuid.UUID, purpose: Purpose, datasets: list[dict[str, Any]], until: datetime.date, protocol: str
) -> Committed:
    """Send the request; the protocol's text stays at the hub, its digest goes on the ledger.

    `request` is the form's own id, so that sending the form twice asks once.
    """
    digest = protocol_digest(protocol)
    Protocol.objects.get_or_create(digest=digest, defaults={"text": protocol})
    return ledger.submit(
        "researcher",
        "access:Request",
        {
            "request": str(request),
            "purpose": purpose,
            "datasets": datasets,
            "protocol": digest,
            "until": until.isoformat(),
        },
    )


def decide(*, case: Case, verdict: str, until: datetime.date, reason: str) -> Committed:
    """Send the hospital's decision; its reason stays here, salted so that the digest cannot be guessed back."""
    salt = secrets.token_hex(32)
    digest = canonical.digest("covenant.reason.v1", bytes.fromhex(salt), reason.encode()).hex()
    kept = Reason.objects.create(
        digest=digest,
        request=case.request["request"],
        dataset=case.dataset["dataset"],
        version=case.dataset["version"],
        text=reason,
        salt=salt,
    )  # before it is sent: a digest on the ledger without its reason would be worth nothing
    try:
        return ledger.submit(
            "steward",
            "access:Decide",
            {**named(case), "verdict": verdict, "until": until.isoformat(), "reason": digest, **reading()},
        )
    except Refused:
        kept.delete()
        raise


def reading() -> dict[str, str]:
    """How this hospital reads its data sets' own terms, where that is not strictly."""
    return {} if settings.NODE.matching == "strict" else {"matching": settings.NODE.matching}


def revoke(*, case: Case) -> Committed:
    """End the entitlement now: no round opens with this data set any more. What was trained stays trained."""
    return ledger.submit("steward", "access:Revoke", named(case))


def protocol_digest(text: str) -> str:
    """The hex digest that names a protocol: over its text as UTF-8 with plain line ends."""
    return canonical.digest("covenant.protocol.v1", text.replace("\r\n", "\n").encode()).hex()


def named(case: Case) -> dict[str, Any]:
    return {
        "request": case.request["request"],
        "dataset": case.dataset["dataset"],
        "version": case.dataset["version"],
    }
