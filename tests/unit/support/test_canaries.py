"""The search for what must not leak finds it in every spelling it could travel in, and nothing else."""

from __future__ import annotations

import base64
import json
import os

import pytest

from tests.support.canaries import CHUNK, Canary, Search

SECRET = os.urandom(32)
NAME = b"Quackenbush-Zebulon-1931-07-04"
SEARCH = Search([Canary("secret", SECRET), Canary("record id", NAME)])


def message(value: bytes) -> bytes:
    """As Celery sends it: our bytes in base64, in a JSON body in base64, in a JSON envelope."""
    body = json.dumps([[base64.b64encode(b"\x0a\x30" + value + b"\x00").decode(), "id"], {}, {}])
    return json.dumps({"body": base64.b64encode(body.encode()).decode(), "properties": {}}).encode()


@pytest.mark.parametrize("value", [SECRET, NAME], ids=["secret", "name"])
@pytest.mark.parametrize(
    "spell",
    [
        bytes,
        lambda value: b"x" + value,
        lambda value: value.hex().encode(),
        lambda value: b'{"secret":"' + base64.urlsafe_b64encode(value).rstrip(b"=") + b'"}',
        lambda value: b"/withdraw/" + base64.b64encode(b"a" + value),
        message,
        lambda value: bytes(CHUNK - 3) + value,
    ],
)
def test_found_however_it_is_spelled(value, spell):
    assert SEARCH.kinds(spell(value)) == {"secret" if value is SECRET else "record id"}


def test_nothing_is_found_where_nothing_is():
    almost = NAME[:-1] + b"5"
    assert SEARCH.kinds(os.urandom(100_000) + almost + message(almost) + SECRET[:-1]) == set()
    assert SEARCH.kinds(b"") == set()


def test_a_file_is_named(tmp_path):
    (tmp_path / "clean.log").write_bytes(b"committed")
    (tmp_path / "leak.log").write_bytes(b"not found: " + NAME)
    assert SEARCH.places(tmp_path.iterdir()) == {(tmp_path / "leak.log", "record id")}
