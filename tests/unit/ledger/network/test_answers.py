"""Whose contracts answer otherwise than most; that peers say what they would sign is tried on a real network."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ledger.identity.ca import Authority
from ledger.network import answers
from ledger.network.layout import Layout
from ledger.network.plan import draw

PLAN = draw(["alpha", "beta", "gamma", "delta"], [], host="127.0.0.1", port=7050)


@pytest.mark.parametrize(
    ("said", "odd"),
    [
        ("", ""),
        ("x", ""),
        ("xxxx", ""),
        ("yxxx", "0"),
        ("xxyx", "2"),
        ("xyxz", "0123"),
        ("xyxzx", "13"),
        ("xxyy", "0123"),
        ("xy", "01"),
    ],
)
def test_whose_answer_is_not_most_hospitals_whoever_is_first(said, odd):
    assert "".join(answers.odd_ones({str(place): each.encode() for place, each in enumerate(said)})) == odd


@pytest.fixture
def network(tmp_path, monkeypatch):
    """Hospitals that have their authorities, and need not settle."""
    layout = Layout(tmp_path)
    for each in PLAN.hospitals:
        Authority.create(each.msp, f"ca.{each.name}").save(layout.folder(each) / "ca")
    monkeypatch.setattr(answers, "SETTLING", 0.0)
    return SimpleNamespace(layout=layout)


def test_contracts_that_take_everybody_for_one_hospital_show_in_anothers_name(network, monkeypatch):
    asked = []

    def ask(network, client, hospitals):
        asked.append(client.msp_id)
        return {each.name: "AlphaMSP" if each.name == "gamma" else client.msp_id for each in hospitals}

    monkeypatch.setattr(answers, "ask", ask)
    assert [each.name for each in answers.differing(network, PLAN.hospitals)] == ["gamma"]
    assert asked == [each.msp for each in PLAN.hospitals]


def test_one_that_was_only_late_is_not_named(network, monkeypatch):
    same = {"alpha": b"new", "beta": b"new", "gamma": b"new"}
    said = [same | {"alpha": b"old"}, *[same] * 4]
    monkeypatch.setattr(answers, "SETTLING", 5.0)
    monkeypatch.setattr(answers, "ask", lambda *_: said.pop(0))
    assert answers.differing(network, PLAN.hospitals) == []
    assert said == []


def test_in_the_name_of_an_authority_that_is_kept_elsewhere_nothing_is_asked(network, monkeypatch):
    asked = []
    monkeypatch.setattr(answers, "ask", lambda network, client, hospitals: asked.append(client.msp_id) or {})
    (network.layout.folder(PLAN.hospitals[1]) / "ca" / "ca.key").unlink()
    assert answers.differing(network, PLAN.hospitals) == []
    assert asked == ["AlphaMSP", "GammaMSP", "DeltaMSP"]
