"""Bytes in JSON have one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.encoding import from_base64url, to_base64url
from consent.errors import CanonicalRefused


@given(st.binary(max_size=100))
def test_bytes_come_back(data: bytes) -> None:
    assert from_base64url(to_base64url(data)) == data


@pytest.mark.parametrize("text", ["QQ==", "QR", "Q", "+/8", "QQ\n", " QQ", "ü", "QQ=", "Q.Q"])
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(CanonicalRefused) as refusal:
        from_base64url(text)
    assert refusal.value.code == "canonical.base64url"
