"""Protobuf messages that have one encoding: what is signed, hashed or kept must re-serialise to the same bytes.

Protobuf allows many encodings of one message (field order, unknown fields, non-minimal numbers). Whoever could smuggle
such bytes into a block would have a place for hidden data that no reader shows, so every layer is parsed with `parse`.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError

from ledger.errors import LedgerError


def parse(kind: Any, data: bytes, what: str) -> Any:
    """The message of class `kind` in `data`; `what` names it in errors, in plain words.

    Raises LedgerError `bytes.malformed` (no such message), `bytes.not-canonical` (unknown fields, or another encoding
    of the same message).
    """
    message = read(kind, data, what)
    message.DiscardUnknownFields()
    if message.SerializeToString(deterministic=True) != data:
        raise LedgerError("bytes.not-canonical", f"the {what} holds unknown fields or is encoded in an unusual way")
    return message


def read(kind: Any, data: bytes, what: str) -> Any:
    """As `parse`, for messages with a map: those have no one order. Raises LedgerError `bytes.malformed`."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise LedgerError("bytes.malformed", f"the {what} is not a {kind.DESCRIPTOR.full_name} message") from error


def parse_maps(kind: Any, data: bytes, what: str) -> Any:
    """As `parse`, for messages with maps, whose entries come in any order: nothing unknown is in them, and nothing
    longer than it need be.

    Raises LedgerError `bytes.malformed`, `bytes.not-canonical`.
    """
    message = read(kind, data, what)
    message.DiscardUnknownFields()
    if message.ByteSize() != len(data):
        raise LedgerError("bytes.not-canonical", f"the {what} holds unknown fields or is encoded in an unusual way")
    return message


def serialise(message: Any) -> bytes:
    """The one encoding of `message` that `parse` accepts."""
    data: bytes = message.SerializeToString(deterministic=True)
    return data
