"""The ledger as this node has followed it, and what went wrong: for those who check everything and change nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from portal.audit import words
from portal.catalogue.selectors import organisation_title
from portal.reactor import selectors as mirror
from portal.reactor.models import Event

SHOWN = 50


def followed() -> dict[str, Any]:
    """How far this node has followed the ledger, and how many transactions changed its state."""
    return {"height": mirror.height(), "transactions": Event.objects.count(), "last": mirror.events().first()}


def latest(count: int = SHOWN) -> list[tuple[Event, str]]:
    """The newest committed transactions, each with what it did in words; a contract to come may say more than these."""
    return [(event, words.EVENTS.get(event.name, event.name)) for event in mirror.events()[:count]]


def aborted() -> list[dict[str, Any]]:
    """Every attempt that was aborted, with its reason, newest first; it keeps what it spent."""
    found = [row for row in mirror.standing("studies/round/") if row.body["status"] == "aborted"]
    titles = {body["study"]: body["plan"]["title"] for body in mirror.records("studies/study/")}
    return [
        {
            **row.body,
            "block": row.block,
            "opened_at": datetime.fromtimestamp(row.body["opened"], UTC),
            "title": titles.get(row.body["study"], ""),
        }
        for row in sorted(found, key=lambda row: row.block, reverse=True)
    ]


def denied() -> list[dict[str, Any]]:
    """Access that hospitals denied or revoked, newest first. Reasons stay there; a digest binds the hospital to one."""
    found = [row for row in mirror.standing("access/entitlement/") if row.body["status"] in ("denied", "revoked")]
    with mirror.loaded("members/org/"):
        return [
            {**row.body, "block": row.block, "hospital_title": organisation_title(row.body["hospital"])}
            for row in sorted(found, key=lambda row: row.block, reverse=True)
        ]
