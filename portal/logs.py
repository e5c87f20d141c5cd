"""Structured logs that cannot hold personal data: only names on a list come through, and errors without their words.

An exception's text may quote a form, a row or a file, so a log line keeps its type, our stable code, and where it
happened; never its message, never a local variable.
"""

from __future__ import annotations

import logging
import logging.config
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

ALLOWED = {
    *("event", "level", "logger", "timestamp", "error", "code", "where", "process", "function", "role", "reason"),
    *("block", "tx_id", "index", "events", "seconds", "count", "height", "status", "method", "key", "name", "command"),
    *("study", "round", "attempt", "kind", "dataset", "version", "site"),
}
QUIET = ("axes", "django.db.backends", "django.security", "django.template", "fido2")  # they quote what people typed

Event = MutableMapping[str, Any]


def configure() -> None:
    """JSON lines on standard error for structlog and for every library's logger."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_error,
        keep_allowed,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": ForeignFormatter}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"handlers": ["stderr"], "level": "INFO"},
            "loggers": {name: {"level": "CRITICAL"} for name in QUIET},
        }
    )


class ForeignFormatter(logging.Formatter):
    """A library's record as its template, without the values: `Not Found: %s`. Our own lines pass as they are."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, str) and record.msg.startswith("{") and not record.args:
            return record.msg  # rendered by structlog
        event: dict[str, Any] = {"event": str(record.msg) if record.args else "message", "logger": record.name}
        event |= {"level": record.levelname.lower(), "where": f"{record.module}:{record.lineno}"}
        if status := getattr(record, "status_code", None):
            event["status"] = status
        if record.exc_info:
            event["exc_info"] = record.exc_info
        return str(
            structlog.processors.JSONRenderer()(None, "", keep_allowed(None, "", describe_error(None, "", event)))
        )


def describe_error(_logger: object, _method: str, event: Event) -> Event:
    """`exc_info` as type, stable code and place."""
    found = event.pop("exc_info", None)
    error = found[1] if isinstance(found, tuple) else found
    if error is True:
        import sys

        error = sys.exception()
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["code"] = getattr(error, "code", None) or event.get("code")
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        event["where"] = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    return event


def keep_allowed(_logger: object, _method: str, event: Event) -> Event:
    return {name: value for name, value in event.items() if name in ALLOWED and value is not None}
