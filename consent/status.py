"""The life of a grant: unknown, active, withdrawn; and a tombstone where the withdrawal came first.

Withdrawn and tombstone are for ever: nothing leads out of them.

    >>> after("unknown", "grant"), after("active", "withdraw"), after("unknown", "withdraw")
    ('active', 'withdrawn', 'tombstone')
"""

from __future__ import annotations

from typing import Literal

from consent.errors import GrantRefused

Status = Literal["unknown", "active", "withdrawn", "tombstone"]
Act = Literal["grant", "withdraw"]


def after(status: Status, act: Act) -> Status:
    """The status after `act`; the same act again changes nothing.

    Raises GrantRefused `grant.withdrawn` or `grant.tombstone` for a grant that comes after its withdrawal.
    """
    if act == "withdraw":
        return {"unknown": "tombstone", "active": "withdrawn"}.get(status, status)  # type: ignore[return-value]
    if status == "withdrawn":
        raise GrantRefused("grant.withdrawn", "this grant was withdrawn: sign a new one")
    if status == "tombstone":
        raise GrantRefused("grant.tombstone", "this grant was withdrawn before it came: sign a new one")
    return "active"
