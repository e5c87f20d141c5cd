"""Renewed keys count from when the channel knows them; that they serve is tried on a real network."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ledger.network import material, renewal
from ledger.network.entries import entry, group
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
    """What is in use."""
    found = sorted(file for file in network.layout.organisations.rglob("*") if file.is_file())
    return {file: (file.stat().st_mode, file.read_bytes()) for file in found if "renewal" not in file.parts}


def test_the_old_ones_stay_in_use_until_the_channel_takes_the_change(network, monkeypatch):
    before, asked_for = state(network), []

    def refuse(asked, group):
        asked_for.append(group)
        raise NetworkError("network.refused", "no majority")

    monkeypatch.setattr(renewal, "reconfigure", refuse)
    for _ in range(2):
        with pytest.raises(NetworkError, match=r"^network\.refused"):
            renewal.renew(network, "alpha")
        assert state(network) == before
    alpha = network.plan.find("alpha")
    said = group([renewal.renewed(network.layout, alpha), entry(network.layout, network.plan.find("institute"))], PLAN)
    assert asked_for == [said, said]  # the channel may have taken the first: the same keys are told again

    monkeypatch.setattr(renewal, "reconfigure", lambda asked, group: None)
    monkeypatch.setattr(renewal, "_start_again", lambda asked, node: None)
    renewal.renew(network, "alpha")
    after = state(network)
    assert len([file for file in before if after[file] != before[file]]) == 3 * 2 + 4 * 2  # certificates and keys
    assert after.keys() == before.keys()
    assert all(after[file][0] == before[file][0] for file in before)
    assert not network.layout.renewal(alpha).exists()
    material.check(network.layout, alpha)


def test_what_was_made_and_soon_expires_is_made_once_more(network, monkeypatch):
    alpha = network.plan.find("alpha")
    renewal.issue(network.layout, alpha)
    first = renewal.renewed(network.layout, alpha)
    renewal.issue(network.layout, alpha)
    assert renewal.renewed(network.layout, alpha) == first
    monkeypatch.setattr(renewal, "LASTING", timedelta(days=material.NODE_DAYS + 1))
    renewal.issue(network.layout, alpha)
    assert renewal.renewed(network.layout, alpha) != first


@pytest.mark.parametrize("file", ["admin/msp/keystore/key.pem", "admin/tls/server.pem", "peer/tls/server.key"])
def test_an_administrator_whose_keys_do_not_serve_takes_new_ones_before_the_channel_is_asked(
    network, monkeypatch, file
):
    alpha = network.plan.find("alpha")
    place, new = (root / "admin" for root in (network.layout.folder(alpha), network.layout.renewal(alpha)))
    (network.layout.folder(alpha) / file).unlink()
    peer = (network.layout.folder(alpha) / "peer" / "tls" / "server.pem").read_bytes()

    def refuse(asked, group):
        made = [each.relative_to(new) for each in new.rglob("*") if each.is_file()]
        assert made and all((place / each).read_bytes() == (new / each).read_bytes() for each in made)
        raise NetworkError("network.refused", "no majority")

    monkeypatch.setattr(renewal, "reconfigure", refuse)
    with pytest.raises(NetworkError, match=r"^network\.refused"):
        renewal.renew(network, "alpha")
    assert (network.layout.folder(alpha) / "peer" / "tls" / "server.pem").read_bytes() == peer


def test_an_institutes_need_no_word_to_the_channel(network, monkeypatch):
    monkeypatch.setattr(renewal, "reconfigure", lambda asked, group: pytest.fail("the channel does not name them"))
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
