"""A network that stands is only ever started as what it is."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.network import check_same
from ledger.network.plan import draw


def plan(*hospitals):
    return draw(hospitals, ["institute"], host="127.0.0.1", port=7050)


def later(*hospitals):
    """The plan of a network of two, in which the first has left since and the others have joined."""
    two = plan("alpha", "beta")
    gone, *stayed = two.organisations
    came = [replace(each, joined=True) for each in plan(*hospitals).hospitals]
    return replace(two, organisations=(*stayed, *came), left=(gone,))


def test_whoever_came_or_went_it_is_the_network_of_its_founders(tmp_path):
    for standing in (plan("alpha", "beta"), later("gamma"), later("gamma", "delta")):
        check_same(standing, standing, Layout(tmp_path))
        check_same(standing, plan("alpha", "beta"), Layout(tmp_path))


@pytest.mark.parametrize("wanted", [plan("alpha"), plan("alpha", "gamma"), plan("alpha", "beta", "gamma")])
def test_another_network_is_not_started_in_its_place(tmp_path, wanted):
    with pytest.raises(
        NetworkError, match=rf"^network\.other-plan: {tmp_path} holds a network of beta, institute, gamma"
    ):
        check_same(later("gamma"), wanted, Layout(tmp_path))
