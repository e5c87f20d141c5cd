"""How bytes stand in JSON: digests as 64 lower-case hex characters, keys and signatures as base64url without padding.

>>> to_base64url(b"\\xfb\\xff"), from_base64url("-_8")
('-_8', b'\\xfb\\xff')
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

from msgspec import Meta

from consent.errors import CanonicalRefused

Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="32 bytes as 64 lower-case hex characters")]
Base64Url = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+\Z", description="bytes as base64url without padding")]


def to_base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """The bytes of `text`; raises CanonicalRefused `canonical.base64url` for padding, other letters or spare bits."""
    try:
        data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        data = b""
    if to_base64url(data) != text:
        raise CanonicalRefused("canonical.base64url", "write these bytes as base64url without padding")
    return data
