from __future__ import annotations

from tests.support.desks import broker_url, desks

__all__ = ["broker_url", "desks"]
