"""What a hospital's processes are told; that they start with it is tried on real networks."""

from __future__ import annotations

import pytest

from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.node import Node
from ledger.network.plan import draw


@pytest.mark.parametrize(("hospitals", "seconds"), [(["a", "b", "c"], "3s"), (["a", "b", "c", "d"], "30s")])
def test_a_gateway_leaves_an_orderer_that_stands_still_soon_where_it_asks_one_after_another(
    tmp_path, hospitals, seconds
):
    plan = draw(hospitals, [], host="127.0.0.1", port=7050)
    folder = Node(Layout(tmp_path), plan, plan.hospitals[0]).configure("peer", "core.yaml")
    assert f"broadcastTimeout: {seconds}\n" in (folder / "core.yaml").read_text()


@pytest.mark.parametrize("part", ["", "hosts", "peer.pid"])
def test_a_part_that_no_hospital_has(tmp_path, part):
    plan = draw(["a"], [], host="127.0.0.1", port=7050)
    with pytest.raises(NetworkError, match=r"^network\.unknown-part: a has no .*: name peer, orderer or host"):
        Node(Layout(tmp_path), plan, plan.hospitals[0]).find(part)
