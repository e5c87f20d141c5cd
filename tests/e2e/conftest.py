from __future__ import annotations

from tests.functional.conftest import catch_up, identities, ledger, ledger_process
from tests.support.desks import broker_url, desks

__all__ = ["broker_url", "catch_up", "desks", "identities", "ledger", "ledger_process"]
