"""One value, one spelling; everything else is refused with the place and the remedy."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec
import pytest

from consent import canonical
from consent.errors import CanonicalRefused


class Inner(canonical.Document, frozen=True, kw_only=True):
    name: str


class Outer(canonical.Document, frozen=True, kw_only=True):
    count: int
    inner: tuple[Inner, ...] = ()


class Lax(msgspec.Struct):
    name: str


def test_names_are_sorted_at_every_depth() -> None:
    value = Outer(inner=(Inner(name="x"),), count=1)
    assert canonical.encode({"z": value, "a": {"d": 1, "c": 2}}) == (
        b'{"a":{"c":2,"d":1},"z":{"count":1,"inner":[{"name":"x"}]}}'
    )


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        float("inf"),
        2**53,
        -(2**53),
        b"bytes",
        {"ü": 1},
        {1: 2},
        {"a": [1.5]},
        "\ud800",
        {"x"},
        pytest.param(object(), id="object"),
    ],
    ids=repr,
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(CanonicalRefused) as refusal:
        canonical.encode(value)
    assert refusal.value.code == "canonical.invalid"


def test_the_refusal_names_the_place() -> None:
    with pytest.raises(CanonicalRefused, match=r"\$\.plan\.rounds\[1\]"):
        canonical.encode({"plan": {"rounds": [1, 2.5]}})


def test_endless_nesting_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(CanonicalRefused):
        canonical.encode(endless)
    with pytest.raises(CanonicalRefused):
        canonical.decode(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize(
    "data",
    [
        b' {"a":1}',
        b'{"a":1}\n',
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'"\\u0041"',
        b'"\\/"',
        b"-0",
        b'"\\u001F"',
    ],
)
def test_another_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(CanonicalRefused) as refusal:
        canonical.decode(data)
    assert refusal.value.code == "canonical.not-canonical"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"1.0",
        b"1e2",
        b"NaN",
        b"9007199254740992",
        b"1" * 400,
        b"\xff",
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b"01",
    ],
)
def test_what_is_not_of_our_subset_is_refused(data: bytes) -> None:
    with pytest.raises(CanonicalRefused) as refusal:
        canonical.decode(data)
    assert refusal.value.code == "canonical.invalid"


def test_a_typed_value_comes_back() -> None:
    value = Outer(count=3, inner=(Inner(name="ü"),))
    assert canonical.decode_as(canonical.encode(value), Outer) == value


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b'{"count":"3"}', "count"),
        (b'{"count":true}', "count"),
        (b'{"inner":[]}', "count"),
        (b'{"count":1,"more":2}', "more"),
        (b'{"count":1,"inner":[{"more":1,"name":"x"}]}', "more"),
        (b'{"count":1,"inner":[{"name":null}]}', "name"),
    ],
)
def test_the_refusal_names_the_field_and_the_remedy(data: bytes, names: str) -> None:
    with pytest.raises(CanonicalRefused, match=names) as refusal:
        canonical.decode_as(data, Outer)
    assert refusal.value.code == "canonical.invalid"
    assert "correct this field" in refusal.value.message


class Loose(canonical.Document, frozen=True, kw_only=True):
    anything: Any


@pytest.mark.parametrize(
    "data", [b'{"anything":1.5}', b'{"anything":9007199254740992}', '{"anything":{"ü":1}}'.encode()]
)
def test_what_is_not_of_our_subset_is_refused_under_any_type(data: bytes) -> None:
    with pytest.raises(CanonicalRefused) as refusal:
        canonical.decode_as(data, Loose)
    assert refusal.value.code == "canonical.invalid"


@pytest.mark.parametrize("data", [b'{"count": 1,"inner":[]}', b'{"inner":[],"count":1}', b'{"count":1,"count":1}'])
def test_another_spelling_is_refused_under_any_type(data: bytes) -> None:
    with pytest.raises(CanonicalRefused) as refusal:
        canonical.decode_as(data, Outer)
    assert refusal.value.code == "canonical.not-canonical"


class Bounded(canonical.Document, frozen=True, kw_only=True):
    count: Annotated[int, msgspec.Meta(ge=0, le=9)]
    kind: Literal["x", "y"] | None = None
    parts: tuple[str, ...] = ()


BOUNDED = '{"count":1,"kind":"x","parts":["ü"]}'.encode()


def test_a_type_that_bounds_everything_has_one_spelling_too() -> None:
    assert canonical.encode(canonical.decode_as(BOUNDED, Bounded)) == BOUNDED
    for other in (BOUNDED + b" ", BOUNDED.replace(b"1", b"1.0"), BOUNDED.replace(b"\xc3\xbc", b"\\u00fc")):
        with pytest.raises(CanonicalRefused):
            canonical.decode_as(other, Bounded)


class Wide(canonical.Document, frozen=True, kw_only=True):
    count: Annotated[int, msgspec.Meta(ge=0, le=2**60)]


class Named(canonical.Document, frozen=True, kw_only=True):
    names: dict[str, str]


@pytest.mark.parametrize(
    ("data", "type_"),
    [
        (b'{"count":9007199254740992}', Wide),
        (b"9007199254740992", Literal[2**53]),
        ('{"names":{"ü":"x"}}'.encode(), Named),
    ],
)
def test_what_a_type_permits_is_refused_where_it_is_not_of_our_subset(data: bytes, type_: Any) -> None:
    with pytest.raises(CanonicalRefused) as refusal:
        canonical.decode_as(data, type_)
    assert refusal.value.code == "canonical.invalid"


def test_names_with_a_default_may_be_left_out() -> None:
    assert canonical.decode_as(b'{"count":1}', Outer) == Outer(count=1)


@pytest.mark.parametrize("type_", [Lax, list[Lax], dict[str, Lax | None]])
def test_a_type_that_lets_unknown_names_pass_is_a_programming_error(type_: type) -> None:
    with pytest.raises(TypeError, match="Lax"):
        canonical.decode_as(b"{}", type_)


def test_the_digest_is_over_tag_line_feed_and_parts() -> None:
    assert canonical.digest("covenant.x.v1", b"a", b"b") == hashlib.sha256(b"covenant.x.v1\nab").digest()
