"""A node's database, from its URL: SQLite for one machine, PostgreSQL for a hospital."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from portal.errors import ConfigurationError

SQLITE = (
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"  # a withdrawal that was acknowledged must outlive a power cut
    "PRAGMA foreign_keys=ON;"
)


def database(url: str) -> dict[str, Any]:
    """Django's settings for `url`: sqlite:///relative, sqlite:////absolute, postgresql://user:password@host:port/name.

    Raises ConfigurationError `config.database`.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and len(parts.path) > 1:
        options = {"init_command": SQLITE, "transaction_mode": "IMMEDIATE", "timeout": 20}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": unquote(parts.path[1:]), "OPTIONS": options}
    if parts.scheme in ("postgres", "postgresql") and len(parts.path) > 1:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path[1:]),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "OPTIONS": dict(parse_qsl(parts.query)),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }
    raise ConfigurationError("config.database", "use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")


def sqlite(file: Path) -> str:
    """The URL of an SQLite file, whatever its path is made of."""
    return f"sqlite:///{quote(str(file))}"
