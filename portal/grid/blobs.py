"""Vectors beside the messages, in the broker, by digest: `blob.<owner>.<digest>`.

The broker lets a hospital write below its own name only and read everybody's. A reader checks the digest of what it
gets, so whoever wrote it, it is what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import redis

from portal.grid.broker import HUB
from portal.grid.transport import unavailable
from training.federation.transport import missing
from training.federation.vectors import digest_bytes

KEPT = 90 * 24 * 3600  # seconds; a study that pauses longer needs its sites' own copies


class BrokerBlobs:
    """training.federation.transport.Blobs. `owner`: HUB or this hospital's MSP id. `sites`: all MSP ids."""

    def __init__(self, url: str, owner: str, sites: Sequence[str]) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=30, socket_connect_timeout=5)
        self._owner = owner
        self._owners = tuple(dict.fromkeys((owner, HUB, *sites)))

    def put(self, data: bytes) -> str:
        """Raises PortalError `portal.broker-unavailable`."""
        digest = digest_bytes(data)
        try:
            self._client.set(f"blob.{self._owner}.{digest}", data, ex=KEPT)
        except redis.RedisError as error:
            raise unavailable() from error
        return digest

    def get(self, digest: str) -> bytes:
        """Raises TrainingError `blob.missing`, PortalError `portal.broker-unavailable`."""
        try:
            for owner in self._owners:
                data = self._client.get(f"blob.{owner}.{digest}")
                if isinstance(data, bytes) and digest_bytes(data) == digest:
                    return data
        except redis.RedisError as error:
            raise unavailable() from error
        raise missing(digest)
