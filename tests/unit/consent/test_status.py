"""Withdrawn and tombstone are for ever."""

from __future__ import annotations

import pytest

from consent.errors import GrantRefused
from consent.status import Act, Status, after


@pytest.mark.parametrize(
    ("status", "act", "then"),
    [
        ("unknown", "grant", "active"),
        ("active", "grant", "active"),
        ("unknown", "withdraw", "tombstone"),
        ("active", "withdraw", "withdrawn"),
        ("withdrawn", "withdraw", "withdrawn"),
        ("tombstone", "withdraw", "tombstone"),
    ],
)
def test_what_follows(status: Status, act: Act, then: Status) -> None:
    assert after(status, act) == then


@pytest.mark.parametrize("status", ["withdrawn", "tombstone"])
def test_a_grant_after_its_withdrawal_is_refused(status: Status) -> None:
    with pytest.raises(GrantRefused) as refusal:
        after(status, "grant")
    assert refusal.value.code == f"grant.{status}"
