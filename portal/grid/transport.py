"""Flower's messages as Celery tasks: to a hospital's own queue; its answer under a key that only it may write.

Not Celery's result backend: it publishes whole results on channels, and its client gives up after a broker's restart.
"""

from __future__ import annotations

import base64

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from portal.errors import PortalError
from portal.grid.queues import DELIVER, queue_of

KEPT = 3600  # seconds an answer waits to be fetched


class Replies:
    """Answers at the broker at `url`, by site and message."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=30, socket_connect_timeout=5)

    def put(self, site: str, message_id: str, answer: bytes) -> None:
        """Raises PortalError `portal.broker-unavailable`."""
        try:
            self._client.set(key(site, message_id), answer, ex=KEPT)
        except redis.RedisError as error:
            raise unavailable() from error

    def get(self, site: str, message_id: str) -> bytes | None:
        """The answer, or None; a broker that is away for a moment has none."""
        try:
            answer = self._client.get(key(site, message_id))
        except redis.RedisError:
            return None
        return answer if isinstance(answer, bytes) else None

    def forget(self, site: str, message_id: str) -> None:
        try:
            self._client.delete(key(site, message_id))
        except redis.RedisError:
            return  # it expires by itself


class CeleryTransport:
    """training.federation.transport.Transport over `app`, whose broker user may send to every site's queue."""

    def __init__(self, app: Celery, replies: Replies) -> None:
        self._app = app
        self._replies = replies

    def send(self, site: str, message_id: str, message: bytes, seconds: float) -> None:
        """Raises PortalError `portal.broker-unavailable`."""
        try:
            self._app.send_task(
                DELIVER,
                args=[base64.b64encode(message).decode(), message_id],
                queue=queue_of(site),
                expires=seconds,
                ignore_result=True,
                argsrepr="(...)",
                kwargsrepr="{}",
                retry=True,
                retry_policy={"max_retries": 5, "interval_start": 0.2, "interval_step": 0.4},
            )
        except (OperationalError, redis.RedisError) as error:
            raise unavailable() from error

    def receive(self, site: str, message_id: str) -> bytes | None:
        return self._replies.get(site, message_id)

    def forget(self, site: str, message_id: str) -> None:
        self._replies.forget(site, message_id)


def key(site: str, message_id: str) -> str:
    """Below the hospital's own name: the broker lets nobody else but the hub write or read there."""
    return f"{queue_of(site)}.reply.{message_id}"


def unavailable() -> PortalError:
    return PortalError("portal.broker-unavailable", "the broker does not answer: is it running?")
