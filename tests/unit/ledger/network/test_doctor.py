"""What the doctor makes of what processes say; what they say is tried on a real network (tests/functional/network)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from ledger.identity.ca import Authority
from ledger.network import doctor, material
from ledger.network.layout import Layout
from ledger.network.plan import draw

HOSPITALS = ("alpha", "beta", "delta", "gamma")
PLAN = draw(HOSPITALS, [], host="127.0.0.1", port=7050)


def findings(monkeypatch, followed, ordering):
    def leader(network, organisation):
        number = followed[organisation.name]
        if isinstance(number, OSError):
            raise number
        return number

    monkeypatch.setattr(doctor, "leader", leader)
    monkeypatch.setattr(doctor, "SETTLING", 0.3)
    return list(doctor._orderers(SimpleNamespace(plan=replace(PLAN, ordering=ordering))))


@pytest.mark.parametrize(
    ("ordering", "said", "named"),
    [
        ("BFT", (2, 2, 2, 2), []),
        ("etcdraft", (None, None, None, None), []),
        ("BFT", (None, None, None, None), [f"{name}.orderer" for name in HOSPITALS]),
        ("BFT", (2, 2, None, 2), ["delta.orderer"]),
        ("BFT", (2, 2, 2, 3), ["gamma.orderer"]),
        ("BFT", (2, OSError("refused"), 2, 2), []),  # it is named as one that does not answer
    ],
)
def test_an_orderer_that_follows_nobody_or_another_is_named_with_the_remedy(monkeypatch, ordering, said, named):
    found = findings(monkeypatch, dict(zip(HOSPITALS, said, strict=True)), ordering)
    assert [each.name for each in found] == named
    for each in found:
        hospital = each.name.partition(".")[0]
        assert each.state == "broken" and f"covenant network start {hospital}" in each.mend


@pytest.mark.parametrize(("here", "there"), [("", ""), ("alpha", ""), ("gamma", "at alpha: ")])
def test_one_whose_contracts_answer_otherwise_is_named_and_one_that_is_broken_not_asked(monkeypatch, here, there):
    asked = []
    committed = SimpleNamespace(committed=True)
    plan = replace(PLAN, here=here)
    nodes = [SimpleNamespace(organisation=each, contracts=[committed]) for each in plan.ours]
    if not here:
        nodes[2].contracts = []  # it has not approved what the others run

    def differing(network, hospitals):
        asked.extend(hospitals)
        return hospitals[:1]

    monkeypatch.setattr(doctor.answers, "differing", differing)
    known = [doctor.Finding("beta.peer", "broken", "no answer"), doctor.Finding("gamma.keys", "warning", "soon")]
    (found,) = doctor._answers(SimpleNamespace(nodes=nodes, plan=plan), known)
    assert [each.name for each in asked] == (["alpha", "delta", "gamma"] if here else ["alpha", "gamma"])
    assert found.name == "alpha.answers"
    assert found.mend == f"{there}covenant network stop alpha --part host && covenant network start alpha"


@pytest.mark.parametrize(
    ("left", "state", "said"),
    [
        (timedelta(minutes=-1), "broken", "network.certificate-expired: "),
        (timedelta(days=29), "warning", "first to expire"),
        (timedelta(days=31), "ok", "first to expire"),
    ],
)
def test_a_certificate_is_named_thirty_days_before_it_expires(tmp_path, left, state, said):
    (alpha,) = draw(["alpha"], [], host="127.0.0.1", port=7050).hospitals
    layout = Layout(tmp_path)
    material.create(layout, alpha)
    authority = Authority.load(layout.folder(alpha) / "ca")
    peer = authority.issue("peer.alpha", [], "peer", not_after=datetime.now(UTC) + left)
    peer.save(layout.folder(alpha) / "peer" / "msp")
    (found,) = doctor._material(SimpleNamespace(layout=layout), alpha)
    assert (found.name, found.state) == ("alpha.keys", state) and said in found.detail
    assert ("covenant network renew alpha" in found.mend) == (state != "ok")


def test_a_process_of_another_version_and_a_clock_that_is_off_are_named():
    assert doctor._version("alpha.peer", SimpleNamespace(version="v3.1.1"), "v3.1.1").state == "ok"
    found = doctor._version("alpha.peer", SimpleNamespace(version="v3.1.0"), "v3.1.1")
    assert found.state == "warning" and "v3.1.0" in found.detail and "start alpha" in found.mend
    assert list(doctor._clock("alpha.peer", 4.0)) == []
    (ahead,), (behind,) = (list(doctor._clock("alpha.peer", seconds)) for seconds in (-6.0, 6.0))
    assert "6 s ahead of ours" in ahead.detail and "6 s behind ours" in behind.detail
    assert {ahead.state, behind.state} == {"broken"}
