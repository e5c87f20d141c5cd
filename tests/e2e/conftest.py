from __future__ import annotations

from tests.functional.conftest import identities, ledger, ledger_process
from tests.support.desks import broker_url, desks

__all__ = ["broker_url", "desks", "identities", "ledger", "ledger_process"]
