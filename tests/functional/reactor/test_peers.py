"""A hub turns to another peer when its own is away; a hospital waits for its own and trusts no other."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest
from django.db import OperationalError, connection
from msgspec.structs import replace

from portal import ledger as portal_ledger
from portal.config import Place
from portal.errors import LedgerUnavailable
from portal.grid.ledgers import Mirror
from portal.reactor import follow, selectors, witness

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dead():
    """An address at which nobody answers, for as long as the test lasts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def still():
    """An address that accepts connections and never says a word, as a process that was stopped."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def behind(settings, hub, ledger_process, monkeypatch):
    """Makes this process a hub that knows a living peer behind a first one at `address`."""
    monkeypatch.setattr(portal_ledger, "_turned", 0)
    monkeypatch.setattr(portal_ledger, "PATIENCE", 0.3)
    living = Place(ledger_process.place.address, ledger_process.place.tls_ca)

    def place(address):
        settings.NODE = replace(hub, ledger=replace(hub.ledger, address=address, others=(living,)))

    return place


@pytest.fixture
def two_peers(behind, dead):
    """This process as a hub whose first peer is away."""
    behind(dead)


def test_a_hub_asks_the_next_peer_and_stays_with_it(two_peers):
    assert portal_ledger.evaluate("auditor", "members:List", {})
    turned = portal_ledger._turned
    assert turned == 1
    assert portal_ledger.ask("runner", lambda gateway: gateway.head().height, "head") > 1
    assert portal_ledger._turned == turned


def test_a_question_goes_on_to_the_next_peer_where_the_first_stands_still(behind, still):
    behind(still)
    assert portal_ledger.evaluate("auditor", "members:List", {}, timeout=1)
    assert portal_ledger._turned == 1


def test_a_write_goes_through_the_next_peer(two_peers):
    purpose = {"permission": "DUO:0000007", "diseases": ["MONDO:0005267"]}
    with pytest.raises(Exception) as refused:  # noqa: PT011  # the contract's own refusal has come from the ledger
        portal_ledger.submit("researcher", "access:Inquire", {"dataset": "x/y", "version": 1, "purpose": purpose})
    assert not isinstance(refused.value, LedgerUnavailable)


def test_the_follower_goes_on_at_the_next_peer(two_peers):
    stop = threading.Event()

    def run():
        try:
            follow.follow(stop)
        finally:
            connection.close()  # this thread's own; else the test's database cannot be dropped

    follower = threading.Thread(target=run)
    follower.start()
    try:
        for _ in range(200):
            with suppress(OperationalError):  # SQLite's word for "the follower is just writing"
                if selectors.height() >= 2:
                    break
            stop.wait(0.1)
    finally:
        stop.set()
        follower.join(20)
    assert selectors.height() >= 2


def test_a_peer_that_is_some_blocks_late_is_left_for_one_that_is_not(two_peers, monkeypatch):
    asked = []

    def compare(gateway):
        asked.append(gateway)
        return "portal.ledger-behind" if len(asked) == 1 else ""

    monkeypatch.setattr(witness, "compare", compare)
    witness.check()
    assert len(asked) == 2 and asked[0] is not asked[1]
    assert witness.fault() == ""


def test_a_peer_with_another_history_is_never_passed_over(two_peers, monkeypatch):
    asked = []
    monkeypatch.setattr(witness, "compare", lambda gateway: asked.append(gateway) or "portal.ledger-other")
    try:
        with pytest.raises(witness.OtherLedger):
            witness.check()
        assert len(asked) == 1
    finally:
        witness.marker().unlink(missing_ok=True)


def test_a_hospital_waits_for_its_own_peer(settings, ledger, dead):
    settings.NODE = replace(settings.NODE, ledger=replace(settings.NODE.ledger, address=dead))
    portal_ledger.close()
    for act in (Mirror().check, follow.catch_up, lambda: portal_ledger.evaluate("site", "members:List", {})):
        with pytest.raises(LedgerUnavailable):
            act()
    assert portal_ledger.dial(settings.NODE, "site", settings.NODE.ledger).contract._connection.patience is None
