"""No network that MONAI has is passed over in silence."""

from __future__ import annotations

import pytest
from monai.networks import nets
from torch import nn

from training.models import excuses

UNKNOWN = "nothing excuses it: bring it in"


def test_every_network_is_tried_or_excused():
    assert UNKNOWN not in excuses.excused().values()


def test_what_is_tried_or_excused_is_there():
    there = set(excuses.networks())
    assert excuses.shown() <= there
    assert {*excuses.PACKAGES, *excuses.PARTS} <= there - excuses.shown()
    assert {*excuses.PARTS.values()} <= {*excuses.shown(), *excuses.PACKAGES}


def made_up(*bases: type[nn.Module]) -> type[nn.Module]:
    return type("Tomorrow", bases, {"__module__": nets.__name__, "forward": lambda self, records: records})


@pytest.mark.parametrize("base", [nn.Module, nets.DenseNet])
def test_a_new_network_is_named(monkeypatch, base):
    monkeypatch.setattr(nets, "Tomorrow", made_up(base), raising=False)
    assert excuses.excused()["Tomorrow"] == UNKNOWN


def test_a_network_of_other_sizes_is_excused_by_the_one_that_is_tried():
    assert excuses.excused()["DenseNet121"] == "DenseNet of other sizes"


def test_a_package_that_comes_excuses_nothing(monkeypatch):
    assert excuses.excuse(nets.ViT) == "needs einops, which the product does not bring"
    monkeypatch.setitem(excuses.PACKAGES, "ViT", "torch")
    assert excuses.excuse(nets.ViT) is None
