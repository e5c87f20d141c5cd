from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from tests.functional.node import HOSPITAL, HOSPITALS, ROLES, SEAT
from tests.support.desks import broker_url, desks

__all__ = ["broker_url", "desks"]


@pytest.fixture
def address(ledger: Any, settings: Any, live_server: Any) -> Iterator[str]:
    """Where a browser meets this hospital: its own name, which the hospitals vote to be its passkeys' address."""
    port = int(live_server.url.rpartition(":")[2])
    settings.NODE = replace(settings.NODE, port=port)
    settings.ALLOWED_HOSTS = ["cleveland.localhost"]
    before = {"origins": ["http://cleveland.localhost:8001"], "rp_id": "cleveland.localhost"}
    move(ledger, {**before, "origins": [settings.NODE.url]})
    yield settings.NODE.url
    move(ledger, before)


def move(ledger: Any, place: dict[str, Any]) -> None:
    """Have the hospitals vote that this one's pages are at `place`."""
    roles = sorted(["peer", *ROLES["hospital"]])
    organisation = {"msp": HOSPITAL, "name": HOSPITAL, "kind": "hospital", "roles": roles, **place, **SEAT}
    proposal, action = {"proposal": str(uuid.uuid4())}, {"kind": "set-organisation", "organisation": organisation}
    asked = {**proposal, "action": action, "deadline": int(time.time()) + 3600}
    made = ledger.submit("steward", "governance:Propose", asked)
    for msp in HOSPITALS[:3]:
        ledger.submit("steward", "governance:Vote", {**proposal, "digest": made["digest"], "choice": "yes"}, msp)
    ledger.submit("steward", "governance:Execute", proposal)
