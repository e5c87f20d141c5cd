"""Secrets at rest: encrypted with the node's own key, which lies in a file outside the database (mode 0600).

A copy of the database alone opens nothing. The key file may hold several keys, one a line: the first encrypts,
all open.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from portal.errors import PortalError

T = TypeVar("T")
ENOUGH: Final = 500_000  # of a few hundred bytes: what a hospital of 100,000 patients opens in a round, and more


class Encrypted(models.BinaryField):
    """Bytes that the database only ever sees encrypted."""

    def from_db_value(self, value: Any, *_: object) -> bytes | None:
        return None if value is None else unseal(bytes(value))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return super().get_db_prep_value(None if value is None else seal(bytes(value)), connection, prepared)


def seal(plain: bytes) -> bytes:
    return vault(settings.NODE.encryption_key()).encrypt(plain)


def unseal(token: bytes) -> bytes:
    """Raises PortalError `vault.wrong-key` when the node's key did not make `token`."""
    key_file = settings.NODE.encryption_key()  # looked at each time: without its key file a process opens nothing
    try:
        return _remembered(key_file, token) if _keeping else _opened(key_file, token)
    except InvalidToken:
        raise PortalError("vault.wrong-key", "this node's key does not open its store: restore the key file") from None


def keep_opened() -> None:
    """Let this process remember what it opens, for the worker that opens the same grants in every round.

    By the sealed bytes themselves: whatever changes is sealed anew, so nothing remembered is ever out of date. What is
    erased from the store can stay in the process's memory until it ends, as the key that opened it does.
    """
    global _keeping  # noqa: PLW0603  # a property of the process
    _keeping = True


def reader(read: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """`read`, whose answers are remembered too where this process remembers what it opens."""
    remembered = lru_cache(maxsize=ENOUGH)(read)
    return lambda opened: remembered(opened) if _keeping else read(opened)


def _opened(key_file: bytes, token: bytes) -> bytes:
    return vault(key_file).decrypt(token)


_keeping = False
_remembered = lru_cache(maxsize=ENOUGH)(_opened)


@lru_cache(maxsize=4)
def vault(key_file: bytes) -> MultiFernet:
    try:
        return MultiFernet([Fernet(line) for line in key_file.split()])
    except ValueError:
        raise PortalError(
            "vault.key", "encryption_key_file holds no Fernet key: make one with Fernet.generate_key()"
        ) from None
