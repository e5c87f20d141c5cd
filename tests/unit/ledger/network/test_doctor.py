"""What the doctor makes of what processes say; what they say is tried on a real network (tests/functional/network)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ledger.network import doctor

HOSPITALS = ("alpha", "beta", "delta", "gamma")


def findings(monkeypatch, followed):
    def leader(network, organisation):
        number = followed[organisation.name]
        if isinstance(number, OSError):
            raise number
        return number

    monkeypatch.setattr(doctor, "leader", leader)
    monkeypatch.setattr(doctor, "SETTLING", 0.3)
    hospitals = [SimpleNamespace(name=name) for name in HOSPITALS]
    return list(doctor._orderers(SimpleNamespace(plan=SimpleNamespace(hospitals=hospitals))))


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ((2, 2, 2, 2), []),
        ((None, None, None, None), []),  # Raft
        ((2, 2, None, 2), ["delta.orderer"]),
        ((2, 2, 2, 3), ["gamma.orderer"]),
        ((2, OSError("refused"), 2, 2), []),  # it is named as one that does not answer
    ],
)
def test_an_orderer_that_follows_nobody_or_another_is_named_with_the_remedy(monkeypatch, said, named):
    found = findings(monkeypatch, dict(zip(HOSPITALS, said, strict=True)))
    assert [each.name for each in found] == named
    for each in found:
        hospital = each.name.partition(".")[0]
        assert each.state == "broken" and f"covenant network start {hospital}" in each.mend
