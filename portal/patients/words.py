"""The choices in words for patients (reading age 9 to 11), one spelling for forms, pages and receipts."""

from __future__ import annotations

from datetime import date

from consent.diseases import DISEASES
from portal.patients.models import Grant, Status

PRESETS = {
    "heart-disease": "Only to learn about heart disease",
    "cancer": "Only to learn about cancer",
    "health-research": "To learn about any illness and health",
    "general-research": "For any research, also beyond health",
}
KINDS = {
    "DUO:0000007": "to learn about",
    "DUO:0000006": "to learn about health and illness",
    "DUO:0000042": "for general research",
    "DUO:0000011": "to learn where people's families come from",
}
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def month(text: str) -> str:
    """`2031-03` as "March 2031"."""
    return f"{MONTHS[int(text[5:7]) - 1]} {text[:4]}"


def today_month() -> str:
    return f"{date.today():%Y-%m}"


def purpose(body: dict[str, object] | None) -> str:
    """A purpose of the ledger in words: "to learn about heart disease"."""
    if not body:
        return "for research"
    words = KINDS.get(str(body.get("duo")), "for research")
    codes = body.get("diseases")
    if not isinstance(codes, list) or not codes:
        return words
    return f"{words} {' and '.join(DISEASES[code].plain if code in DISEASES else code for code in codes)}"


def state(grant: Grant) -> tuple[str, str]:
    """A grant's state as (colour of its tag, words). Recorded is said only after the ledger's event."""
    if grant.is_withdrawn:
        if grant.withdrawn_block:
            return ("off", "Stopped and recorded")
        if grant.withdrawal_refusal:
            return ("off", "Stopped here; the hospital looks into recording it")
        return ("wait", "Stopped here, recording it")
    if grant.status == Status.RECORDED:
        return ("off", "Ended") if grant.valid_until < today_month() else ("right", "Recorded")
    if grant.status == Status.REFUSED:
        return ("wrong", "Not accepted")
    return ("wait", "Pending: being recorded")
