"""How bytes stand in JSON: digests as 64 lower-case hex characters, keys and signatures as base64url without padding.

>>> to_base64url(b"\\xfb\\xff"), from_base64url("-_8")
('-_8', b'\\xfb\\xff')
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from typing import Annotated

from msgspec import Meta

from consent.errors import CanonicalRefused

Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="32 bytes as 64 lower-case hex characters")]
Base64Url = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+\Z", description="bytes as base64url without padding")]


_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")


def to_base64url(data: bytes) -> str:
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """The bytes of `text`; raises CanonicalRefused `canonical.base64url` for padding, other letters or spare bits."""
    try:
        data = a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"=" * (-len(text) % 4))
    except ValueError:
        data = b""
    if to_base64url(data) != text:  # else other letters were passed over, or bits left over
        raise CanonicalRefused("canonical.base64url", "write these bytes as base64url without padding")
    return data
