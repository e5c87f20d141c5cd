"""A database URL becomes Django's settings, whole, or is refused."""

from __future__ import annotations

import sqlite3

import pytest

from portal.databases import database, sqlite
from portal.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "name"),
    [("sqlite:////var/lib/node.sqlite", "/var/lib/node.sqlite"), ("sqlite:///a%20b.sqlite", "a b.sqlite")],
)
def test_sqlite_files(url, name):
    assert (database(url)["ENGINE"], database(url)["NAME"]) == ("django.db.backends.sqlite3", name)


def test_sqlite_writes_through_to_the_disk(tmp_path):
    with sqlite3.connect(tmp_path / "node.sqlite") as connection:
        connection.executescript(database("sqlite:///x")["OPTIONS"]["init_command"])
        read = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")}
    connection.close()
    assert read == {"synchronous": 2, "journal_mode": "wal"}


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_postgres_with_all_its_parts(scheme):
    made = database(f"{scheme}://us%40er:p%2Fw@db.example:5433/node?sslmode=verify-full")
    assert made["ENGINE"] == "django.db.backends.postgresql"
    assert [made[part] for part in ("NAME", "USER", "PASSWORD", "HOST", "PORT")] == [
        "node", "us@er", "p/w", "db.example", "5433",
    ]  # fmt: skip
    assert made["OPTIONS"] == {"sslmode": "verify-full"}


@pytest.mark.parametrize(
    "url", ["", "sqlite://", "sqlite:///", "postgresql://host", "mysql://host/node", "node.sqlite"]
)
def test_anything_else_is_refused(url):
    with pytest.raises(ConfigurationError, match="config.database"):
        database(url)


@pytest.mark.parametrize("name", ["plain", "a b", "demo#1", "100%25", "who?me", "q&a=1", "Müller"])
def test_an_sqlite_file_is_found_under_its_url(name, tmp_path):
    file = tmp_path / name / "store.sqlite3"
    assert database(sqlite(file))["NAME"] == str(file)
