"""Canonical JSON agrees with another implementation of RFC 8785, and every value has exactly one spelling."""

from __future__ import annotations

import json
import os
from typing import Any

import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from consent import canonical
from consent.errors import CanonicalRefused

MANY = settings(max_examples=3_000 if os.environ.get("COVENANT_SOAK") == "1" else 100, print_blob=True)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(max_codepoint=127), max_size=10)
leaves = st.none() | st.booleans() | st.integers(-canonical.LARGEST, canonical.LARGEST) | texts
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=5), max_leaves=20
)


@MANY
@given(values)
def test_the_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert canonical.encode(value) == rfc8785.dumps(value)


@MANY
@given(values)
def test_a_value_comes_back(value: Any) -> None:
    assert canonical.decode(canonical.encode(value)) == value


@MANY
@given(
    values, st.sampled_from([{"indent": 1}, {"separators": (", ", ":")}, {"ensure_ascii": True}, {"sort_keys": False}])
)
def test_any_other_spelling_is_refused(value: Any, style: dict[str, Any]) -> None:
    plain = {"separators": (",", ":"), "ensure_ascii": False, "sort_keys": True}
    other = json.dumps(value, **(plain | style)).encode()
    if other != canonical.encode(value):
        try:
            canonical.decode(other)
        except CanonicalRefused:
            return
        raise AssertionError("two spellings of one value")


@MANY
@given(st.binary(max_size=60))
def test_bytes_that_decode_are_canonical(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except CanonicalRefused:
        return
    assert canonical.encode(value) == data == rfc8785.dumps(value)
