"""Canonical JSON (RFC 8785, a subset): one value has one spelling, so that hashes and signatures agree everywhere.

The subset: no floats (decimals travel as strings), integers within +-(2**53 - 1), ASCII names. Within it, sorting names
by bytes is sorting by UTF-16 units, and msgspec's sorted encoding is RFC 8785's.

    >>> encode({"b": [1, True, None], "a": "ü"})
    b'{"a":"\\xc3\\xbc","b":[1,true,null]}'
    >>> decode(b'{"b":1,"a":2}')
    Traceback (most recent call last):
    consent.errors.CanonicalRefused: canonical.not-canonical: these bytes are not canonical JSON: encode the value again
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from consent.errors import CanonicalRefused

T = TypeVar("T")

LARGEST = 2**53 - 1  # the integers every JSON reader keeps exactly (RFC 8785, section 3.2.2.3; I-JSON)


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of every value that is signed, hashed or stored: frozen, strict, fields named at the call."""


def encode(value: object) -> bytes:
    """The canonical bytes of `value`: dict, list, tuple, str, int, bool, None, and msgspec Structs of those.

    Raises CanonicalRefused `canonical.invalid` for anything else, and names the place.
    """
    try:
        _check(value, "$")
        return _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError) as error:  # lone surrogates, endless nesting
        raise CanonicalRefused("canonical.invalid", f"this value has no canonical JSON form ({error})") from None


def decode(data: bytes) -> Any:
    """The plain value that `data` spells.

    Raises CanonicalRefused `canonical.invalid`, or `canonical.not-canonical` where the value has another spelling.
    """
    try:
        value = _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise CanonicalRefused("canonical.invalid", f"these bytes are not JSON of the kind we sign ({error})") from None
    if encode(value) != data:
        raise CanonicalRefused("canonical.not-canonical", "these bytes are not canonical JSON: encode the value again")
    return value


def decode_as(data: bytes, type_: type[T]) -> T:
    """The value of type `type_` that the canonical bytes `data` spell: types strict, unknown names refused.

    Raises CanonicalRefused `canonical.invalid` (the message names the field and what it must be) and
    `canonical.not-canonical`. A Struct in `type_` that lets unknown names pass is a programming error: TypeError.
    """
    try:
        value: T = _strict_decoder(type_).decode(data)  # type: ignore[arg-type]  # a type is hashable
        spelled = _ENCODER.encode(value) if _all_fit(type_) else encode(value)  # type: ignore[arg-type]
        if spelled == data:
            return value
    except (msgspec.MsgspecError, CanonicalRefused, ValueError, RecursionError):
        pass  # the slow way below names what is wrong
    return convert(decode(data), type_)  # also where names with a default are left out


def convert(value: object, type_: type[T]) -> T:
    """A plain value (from `decode`) as `type_`; raises CanonicalRefused `canonical.invalid`, naming the field."""
    _strict_decoder(type_)  # type: ignore[arg-type]  # a type is hashable
    try:
        return msgspec.convert(value, type_)
    except (msgspec.ValidationError, RecursionError) as error:
        raise CanonicalRefused("canonical.invalid", f"{error}: correct this field and send it again") from None


def digest(tag: str, *parts: bytes) -> bytes:
    """SHA-256 over `tag`, a line feed, and `parts` one after another: 32 bytes.

    The tag (`covenant.<thing>.v1`) keeps the digests of different things apart. Parts are not separated: callers give
    parts of fixed length, or only the last one of free length.
    """
    return sha256(b"\n".join((tag.encode("ascii"), b"".join(parts)))).digest()


def _check(value: object, place: str) -> None:
    """Refuse what msgspec would encode and RFC 8785, or our subset, would not."""
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if not -LARGEST <= value <= LARGEST:
            raise CanonicalRefused("canonical.invalid", f"the integer at {place} is beyond 2**53 - 1: make it a string")
    elif isinstance(value, dict):
        for name, item in value.items():
            if not (isinstance(name, str) and name.isascii()):
                raise CanonicalRefused("canonical.invalid", f"the name {name!r} at {place} is not ASCII text")
            _check(item, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check(item, f"{place}[{number}]")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _check(getattr(value, name), f"{place}.{name}")
    else:
        kind = type(value).__name__
        raise CanonicalRefused("canonical.invalid", f"{place} is of type {kind}: write decimals and bytes as strings")


def _refuse_float(text: str) -> object:
    raise ValueError(f"the number {text} is not an integer: write decimals as strings")


@cache
def _strict_decoder(type_: type) -> msgspec.json.Decoder[Any]:
    """The decoder for `type_`; raises TypeError where a Struct in it ignores unknown names."""
    for struct in _structs(type_):
        if not struct.__struct_config__.forbid_unknown_fields:
            raise TypeError(f"{struct.__name__} would ignore unknown names: declare it with forbid_unknown_fields=True")
    return msgspec.json.Decoder(type_)


@cache
def _all_fit(type_: type) -> bool:
    """Whether every value that the decoder of `type_` lets through is one that `_check` lets through."""
    return all(_fits(info) for info in _parts(type_))


def _fits(info: msgspec.inspect.Type) -> bool:
    if isinstance(info, msgspec.inspect.IntType):
        return info.ge is not None and info.ge >= -LARGEST and info.le is not None and info.le <= LARGEST
    if isinstance(info, msgspec.inspect.LiteralType):
        return all(isinstance(value, str) for value in info.values)
    return isinstance(info, _FITTING)


def _structs(type_: type) -> Iterator[type[msgspec.Struct]]:
    """Every Struct that stands in `type_`."""
    return (info.cls for info in _parts(type_) if isinstance(info, msgspec.inspect.StructType))


def _parts(type_: type) -> Iterator[msgspec.inspect.Type]:
    """`type_` and every type that stands in it."""
    seen: set[int] = set()
    waiting: list[object] = [msgspec.inspect.type_info(type_)]
    while waiting:
        info = waiting.pop()
        if id(info) in seen:
            continue
        seen.add(id(info))
        if isinstance(info, msgspec.inspect.Type):
            yield info
        if isinstance(info, msgspec.inspect.StructType):
            waiting += [field.type for field in info.fields]
        elif isinstance(info, msgspec.inspect.Type):
            for name in info.__struct_fields__:
                part = getattr(info, name)
                waiting += part if isinstance(part, tuple) else [part]


_FITTING = (  # whatever they hold is judged on its own; a dict may have names that are not ASCII
    msgspec.inspect.BoolType,
    msgspec.inspect.ListType,
    msgspec.inspect.Metadata,
    msgspec.inspect.NoneType,
    msgspec.inspect.StrType,
    msgspec.inspect.StructType,
    msgspec.inspect.TupleType,
    msgspec.inspect.UnionType,
    msgspec.inspect.VarTupleType,
)
_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(float_hook=_refuse_float)
