"""Flower's messages as Celery tasks: to a hospital's own queue and back, and nothing else."""

from __future__ import annotations

import base64
import binascii

from celery import Celery
from celery.result import AsyncResult
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from portal.errors import PortalError
from portal.grid.queues import DELIVER, queue_of


class CeleryTransport:
    """training.federation.transport.Transport over `app`, whose broker user may send to every site's queue."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def send(self, site: str, message_id: str, message: bytes, seconds: float) -> None:
        """Raises PortalError `portal.broker-unavailable`."""
        try:
            self._app.send_task(
                DELIVER,
                args=[base64.b64encode(message).decode()],
                queue=queue_of(site),
                task_id=named(site, message_id),
                expires=seconds,
                argsrepr="(...)",
                kwargsrepr="{}",
                retry=True,
                retry_policy={"max_retries": 5, "interval_start": 0.2, "interval_step": 0.4},
            )
        except (OperationalError, RedisError) as error:
            raise unavailable() from error

    def receive(self, site: str, message_id: str) -> bytes | None:
        """A task that failed or sent back what is no message counts as unanswered."""
        try:
            result = AsyncResult(named(site, message_id), app=self._app)
            if result.state != "SUCCESS" or not isinstance(result.result, str):
                return None
            return base64.b64decode(result.result, validate=True)
        except (OperationalError, RedisError):
            return None
        except (binascii.Error, ValueError):
            return None

    def forget(self, site: str, message_id: str) -> None:
        try:
            AsyncResult(named(site, message_id), app=self._app).forget()
        except (OperationalError, RedisError):
            return  # it expires by itself


def named(site: str, message_id: str) -> str:
    """The task's id: the broker lets a hospital write only results that begin with its own name."""
    return f"{site}.{message_id}"


def unavailable() -> PortalError:
    return PortalError("portal.broker-unavailable", "the broker does not answer: is it running?")
