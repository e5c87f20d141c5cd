"""Proposals, votes and executions go to the ledger in the name of this hospital."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger.gateway import Committed
from portal import ledger


def propose(*, proposal: uuid.UUID, action: dict[str, Any], days: int) -> Committed:
    """Put `action` to the vote for `days` days. `proposal` is the form's own id: sent twice, it proposes once."""
    deadline = int((datetime.now(UTC) + timedelta(days=days)).timestamp())
    return ledger.submit(
        "steward", "governance:Propose", {"proposal": str(proposal), "action": action, "deadline": deadline}
    )


def vote(*, proposal: dict[str, Any], choice: str) -> Committed:
    """Vote on exactly what was shown: the digest of the action goes with the vote."""
    return ledger.submit(
        "steward", "governance:Vote", {"proposal": proposal["proposal"], "digest": proposal["digest"], "choice": choice}
    )


def execute(*, proposal: dict[str, Any]) -> Committed:
    """Carry the proposal out: the contract counts the votes itself."""
    return ledger.submit("steward", "governance:Execute", {"proposal": proposal["proposal"]})
