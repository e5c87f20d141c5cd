"""Which engine trains a network is a measured choice; the command prints what it rests on."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from training.errors import ModelRefused
from training.models import measuring, registry
from training.models.cli import app
from training.models.measuring import Times, measured
from training.privacy.engines import ENGINES


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(measuring, "BLOCKS", 1)
    monkeypatch.setattr(measuring.alternately, "__defaults__", (1e-9,))


def test_every_network_names_an_engine_that_takes_it():
    for times in measured(registry.DESCRIPTIONS):
        assert set(times.engines) == set(ENGINES) and times.plain > 0
        assert times.engines[times.described.engine] is not None


def test_the_command_names_each_engine_and_the_choice():
    shown = CliRunner().invoke(app, ["engines", "heart-fcn"])
    assert shown.exit_code == 0
    heading, *lines = shown.stdout.splitlines()
    assert heading.startswith("heart-fcn: 14 weights") and "chosen: torch.func" in heading
    assert [line.split()[0] for line in lines] == list(ENGINES)


def test_a_choice_that_is_not_the_fastest_here_says_so():
    described = registry.DESCRIPTIONS["chest-densenet"]
    times = Times(described, 1, 1.0, {"layerwise": 3.0, "opacus-hooks": 2.0, "opacus-ghost": None})
    assert times.verdict == "layerwise; opacus-hooks is faster here"


def test_an_unknown_network_is_named():
    with pytest.raises(ModelRefused) as refusal:
        measured(["resnet"])
    assert refusal.value.code == "model.unknown" and "chest-densenet" in refusal.value.message
