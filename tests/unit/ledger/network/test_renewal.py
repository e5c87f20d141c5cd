"""Renewed keys count from when the channel knows them; that they serve is tried on a real network."""

from __future__ import annotations

import pytest

from ledger.network import material, renewal
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.network import Network
from ledger.network.plan import draw

PLAN = draw(["alpha"], ["institute"], host="127.0.0.1", port=7050)


@pytest.fixture
def network(tmp_path):
    layout = Layout(tmp_path)
    for each in PLAN.organisations:
        material.create(layout, each)
    return Network(layout, PLAN, None)


def state(network):
    found = sorted(file for file in network.layout.organisations.rglob("*") if file.is_file())
    return {file: (file.stat().st_mode, file.read_bytes()) for file in found}


def test_the_old_ones_are_put_back_where_the_channel_does_not_take_the_change(network, monkeypatch):
    before, meanwhile = state(network), []

    def refuse(asked):
        meanwhile.append(state(asked))
        raise NetworkError("network.refused", "no majority")

    monkeypatch.setattr(renewal, "reconfigure", refuse)
    with pytest.raises(NetworkError, match=r"^network\.refused"):
        renewal.renew(network, "alpha")
    (changed,) = meanwhile
    assert len([file for file in before if changed[file] != before[file]]) == 3 * 2 + 4 * 2  # certificates and keys
    after = state(network)
    assert after == before


def test_an_institutes_need_no_word_to_the_channel(network, monkeypatch):
    monkeypatch.setattr(renewal, "reconfigure", lambda asked: pytest.fail("the channel does not name them"))
    institute = PLAN.find("institute")
    before = material.certificates(network.layout, institute)[0].read_bytes()
    renewal.renew(network, "institute")
    assert material.certificates(network.layout, institute)[0].read_bytes() != before
    material.check(network.layout, institute)


def test_without_the_authoritys_key_nothing_is_changed(network):
    (network.layout.folder(PLAN.find("alpha")) / "tlsca" / "ca.key").unlink()
    before = state(network)
    with pytest.raises(NetworkError, match=r"^network\.authority-away"):
        renewal.renew(network, "alpha")
    assert state(network) == before
