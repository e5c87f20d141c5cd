"""Access that ends with its last day is said on the ledger, and what cannot train without it is stopped, unasked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from consent import canonical, periods
from ledger.errors import Refused
from portal import ledger as portal_ledger
from portal.access import expiry, selectors
from portal.errors import LedgerUnavailable
from portal.reactor import projection
from portal.reactor import selectors as mirror
from portal.studies import selectors as studies
from tests.contract.memory import MemoryLedger
from tests.contract.world import HOSPITALS, INSTITUTE, World

pytestmark = pytest.mark.django_db
ALPHA, BETA = HOSPITALS[:2]


@dataclass
class Event:
    block: int
    name: str
    payload: bytes
    index: int = 0
    tx_id: str = "0" * 64


@dataclass
class Consortium:
    """The contracts in memory, with a clock of their own; this process is one of its nodes."""

    world: World
    settings: Any
    sent: list[str] = field(default_factory=list)
    away: bool = False

    def at(self, msp: str, role: str) -> None:
        self.settings.NODE = type("Node", (), {"msp": msp, "role": role, "peers": (), "matching": "strict"})()

    def submit(self, role: str, function: str, arguments: dict[str, Any]) -> Any:
        if self.away:
            raise LedgerUnavailable("portal.ledger-unavailable", "the ledger is away")
        self.sent.append(function)
        return self.world.ledger.submit(f"{self.settings.NODE.msp}.{role}", function, arguments)

    def sweep(self) -> list[str]:
        """What this node sends by itself at the ledger's time; the mirror follows."""
        self.sent.clear()
        self.follow()
        expiry.notice(datetime.fromtimestamp(self.world.ledger.now, UTC))
        self.follow()
        return list(self.sent)

    def follow(self) -> None:
        projection.apply(
            [
                Event(block, name, canonical.encode({"records": records}))
                for block, (name, records) in enumerate(self.world.ledger.events, 1)
            ]
        )

    def to_the_end_of(self, study: Any) -> None:
        until = self.world.ledger.record(f"access/request/{study['plan']['request']}")["until"]
        self.world.ledger.now = periods.days(until, until).end

    def status(self, study: Any) -> str:
        return str(self.world.ledger.record(f"studies/study/{study['study']}")["status"])

    def entitlements(self, study: Any) -> list[str]:
        return [body["status"] for body in mirror.records(f"access/entitlement/{study['plan']['request']}/")]


@pytest.fixture
def consortium(settings, monkeypatch):
    made = Consortium(World(MemoryLedger()), settings)
    made.world.found()
    monkeypatch.setattr(portal_ledger, "submit", made.submit)
    made.at(ALPHA, "hospital")
    return made


def test_a_hospital_says_that_its_own_entitlement_ended_and_the_study_stops(consortium):
    study = consortium.world.approved((ALPHA, BETA))
    consortium.world.open(study, 1)
    assert consortium.sweep() == []
    consortium.to_the_end_of(study)
    consortium.world.ledger.now -= 1
    assert consortium.sweep() == [], "the last day is not over"
    consortium.world.ledger.now += 1
    assert consortium.sweep() == ["access:Expire"]
    assert consortium.entitlements(study) == ["expired", "live"]
    assert consortium.sweep() == ["studies:Stop"]
    assert consortium.status(study) == "stopped"
    consortium.world.runner("Abort", study, 1, reason=expiry.REASON)  # the round under way can only be given up
    with pytest.raises(Refused, match=r"studies\.wrong-status"):
        consortium.world.open(study, 1, 2)
    assert consortium.sweep() == []


def test_everybody_reads_it(consortium):
    study = consortium.world.approved((ALPHA, BETA))
    consortium.to_the_end_of(study)
    for hospital in (ALPHA, BETA):
        consortium.at(hospital, "hospital")
        consortium.sweep()
    consortium.sweep()
    request = selectors.request(study["plan"]["request"])
    assert request is not None and {case.status for case in request["cases"]} == {"ended"}
    shown = studies.study(study["study"])
    assert shown is not None and shown["status_words"] == studies.ACCESS_ENDED


def test_the_institute_says_it_where_a_hospitals_node_is_away(consortium):
    study = consortium.world.approved((ALPHA, BETA))
    consortium.at(INSTITUTE, "hub")
    consortium.to_the_end_of(study)
    assert consortium.sweep() == ["access:Expire", "access:Expire"]
    assert consortium.sweep() == ["studies:Stop"]


def test_what_is_trained_already_is_left_to_be_released(consortium):
    study = consortium.world.approved((ALPHA,), rounds=1, quorum=1)
    model = consortium.world.trained(study, 1)["model"]
    consortium.to_the_end_of(study)
    for _ in range(2):
        consortium.sweep()
    assert (consortium.entitlements(study), consortium.status(study)) == (["expired"], "trained")
    consortium.world.confirm(ALPHA, study, model)
    assert consortium.world.release(study, model)["model"] == model


def test_other_hospitals_and_other_studies_are_not_this_nodes_concern(consortium):
    study = consortium.world.approved((BETA,), quorum=1)
    consortium.to_the_end_of(study)
    assert consortium.sweep() == []


def test_while_the_ledger_is_away_it_waits(consortium):
    study = consortium.world.approved((ALPHA,), quorum=1)
    consortium.to_the_end_of(study)
    consortium.away = True
    assert consortium.sweep() == []
    consortium.away = False
    assert consortium.sweep() == ["access:Expire"]


def test_a_node_whose_clock_is_ahead_goes_on(consortium):
    study = consortium.world.approved((ALPHA,), quorum=1)
    consortium.to_the_end_of(study)
    consortium.follow()
    consortium.world.ledger.now -= 60
    expiry.notice(datetime.fromtimestamp(consortium.world.ledger.now + 60, UTC))
    assert consortium.sent == ["access:Expire"] and consortium.entitlements(study) == ["live"]
