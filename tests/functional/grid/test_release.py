"""A certificate rests on a head under which everything stands that it was made from, whichever peer answers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from consent.errors import CovenantError
from ledger.gateway import Head
from portal.grid import release
from portal.reactor.models import Position

pytestmark = pytest.mark.django_db
HASH = b"\x07" * 32


@pytest.fixture
def peers(monkeypatch):
    """Two peers of the hub with so many blocks each; the mirror stands at block 7."""
    Position.objects.update_or_create(id=Position.ONLY, defaults={"block": 7})

    def answer(*heights):
        waiting = [Head(height, HASH) for height in heights]
        monkeypatch.setattr(
            release, "settings", SimpleNamespace(NODE=SimpleNamespace(ledger=SimpleNamespace(places="ab")))
        )
        monkeypatch.setattr(release.ledger, "ask", lambda role, act, what: waiting[0])
        monkeypatch.setattr(release.ledger, "turn", lambda: waiting.append(waiting.pop(0)))

    return answer


@pytest.mark.parametrize("heights", [(8, 3), (7, 9), (7, 8)])
def test_the_head_holds_the_newest_block_of_the_mirror(peers, heights):
    peers(*heights)
    assert release.chain_head() == release.Head(max(heights), HASH.hex())


def test_where_every_peer_is_late_nothing_is_certified(peers):
    peers(7, 5)
    with pytest.raises(CovenantError, match=r"portal\.ledger-behind"):
        release.chain_head()
