"""What a hospital's processes are told; that they start with it is tried on real networks."""

from __future__ import annotations

import pytest

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
