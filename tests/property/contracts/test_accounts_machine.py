"""No interleaving of approvals, rounds, aborts, stops and releases exposes a patient over a cap, or loses a spend.

Hospitals may share patients, and studies run at one of them or at both: the model is a list of what each hospital spent
and promised, and the pairs of hospitals that are declared to have different patients.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ledger.contracts import rdp
from ledger.errors import Refused
from tests.contract.memory import MemoryLedger
from tests.contract.world import HOSPITALS, INSTITUTE, World, fresh
from tests.property.contracts.soak import examples

SITES = HOSPITALS[:2]
CAP = Decimal(8)
site = st.sampled_from(SITES)
study = st.integers(0, 3)
NOISES = st.tuples(st.sampled_from(["1.1", "3", "8"]), st.sampled_from(["0.1", "0.2", "1"]))
ROUNDS = st.tuples(st.integers(1, 3), st.integers(0, 2))
PLACES = st.sampled_from([SITES, SITES[:1], SITES[1:]])
DELTAS = st.sampled_from(["0.0001", "0.001", "0.0000001"])
DECLARED = st.sampled_from([HOSPITALS, SITES, HOSPITALS[1:], HOSPITALS[2:]])


class Accounts(RuleBasedStateMachine):
    """Two hospitals with up to four studies; two more look on, and may share patients with them.

    `events`: every event each hospital has spent; `promised`: (hospital, study) -> training and metric events left;
    `apart`: pairs of hospitals; `narrowed`: whether a vote took a declaration back, which alone may lead over a cap.
    """

    @initialize(declared=DECLARED)
    def begin(self, declared: tuple[str, ...]) -> None:
        self.world = World(MemoryLedger())
        self.world.found()
        self.apart = pairs(HOSPITALS)
        self.declare(declared)
        self.narrowed = False
        self.studies: list[Any] = []
        self.events: dict[str, list[tuple[str, str | None, int]]] = {hospital: [] for hospital in HOSPITALS}
        self.promised: dict[tuple[str, str], dict[str, int]] = {}
        self.updates: dict[tuple[str, int, int, str], str] = {}
        self.propose(("3", "0.2"), (2, 1), SITES, "0.0001", all_approve=True)
        self.start(0, ())

    def pick(self, number: int) -> Any:
        return self.studies[number % len(self.studies)] if self.studies else None

    def attempt(self, action: Any) -> Any:
        """What the ledger answers, or None where it refuses; a refusal changes nothing."""
        before = self.world.ledger.mark()
        try:
            return action()
        except Refused as refusal:
            assert refusal.code.startswith(("studies.", "budget.")), refusal
            assert self.world.ledger.mark() == before
            return None

    @rule(declared=DECLARED)
    def declare(self, declared: tuple[str, ...]) -> None:
        self.world.declare_disjoint(list(declared))
        self.narrowed = not self.apart <= pairs(declared) or getattr(self, "narrowed", False)
        self.apart = pairs(declared)

    @rule(noise=NOISES, rounds=ROUNDS, places=PLACES, delta=DELTAS, all_approve=st.booleans())
    def propose(
        self, noise: tuple[str, str], rounds: tuple[int, int], places: tuple[str, ...], delta: str, all_approve: bool
    ) -> None:
        """`noise`: sigma and q. `rounds`: rounds and spare attempts."""
        if len(self.studies) < 4:
            changes = {
                "privacy__sigma": noise[0],
                "privacy__q": noise[1],
                "privacy__delta": delta,
                "rounds": rounds[0],
                "spare_attempts": rounds[1],
                "quorum": 1,
            }
            plan = self.world.plan(places, **changes)
            if proposed := self.attempt(lambda: self.world.propose_study(plan)):
                self.studies.append(proposed)
                for hospital in places if all_approve else ():
                    self.approve(len(self.studies) - 1, hospital)

    @rule(number=study, hospital=site)
    def approve(self, number: int, hospital: str) -> None:
        chosen = self.pick(number)
        if chosen and self.attempt(lambda: self.world.approve(chosen, hospital)):
            name = (hospital, chosen["study"])
            if name not in self.promised:
                plan = chosen["plan"]
                spares = plan["spare_attempts"]
                self.promised[name] = {"training": plan["rounds"] + spares, "metric": 1}
                self.nobody_is_over([hospital], plan["privacy"]["delta"])

    @rule(number=study, declining=st.sampled_from([(), (), SITES[:1]]))
    def start(self, number: int, declining: tuple[str, ...]) -> None:
        if not (chosen := self.pick(number)):
            return
        head = self.head(chosen)
        if head is None or head["status"] == "closed":
            place = (1 if head is None else head["round"] + 1, 1)
        else:
            place = (head["round"], head["attempt"] + 1)
        if self.attempt(lambda: self.world.open(chosen, *place)):
            hospitals = [one["dataset"].partition("/")[0] for one in chosen["plan"]["datasets"]]
            self.nobody_is_over(hospitals)
            for hospital in hospitals:
                (self.world.decline if hospital in declining else self.world.commit)(hospital, chosen, *place)
            self.attempt(lambda: self.world.runner("Fix", chosen, *place))

    def head(self, chosen: Any) -> Any:
        arguments = {"study": chosen["study"]}
        return self.world.ledger.evaluate(f"{INSTITUTE}.runner", "studies:Get", arguments)["head"]

    @rule(number=study, hospital=site, again=st.booleans())
    def contribute(self, number: int, hospital: str, again: bool) -> None:
        chosen = self.pick(number)
        head = chosen and self.head(chosen)
        if not head:
            return
        place = (head["round"], head["attempt"])
        name = (chosen["study"], *place, hospital)
        kind = "metric" if place[0] > chosen["plan"]["rounds"] else "training"
        if kind == "metric":
            answer = self.attempt(lambda: self.world.site(hospital, "Measure", chosen, *place, correct=1, total=2))
        else:
            digest = self.updates.get(name, fresh()) if again else fresh()
            answer = self.attempt(lambda: self.world.site(hospital, "Update", chosen, *place, update=digest))
            if answer and name in self.updates:
                assert answer["digest"] == self.updates[name] == digest, "a second update stands"
        if answer and name not in self.updates:
            self.updates[name] = answer.get("digest", "measured")
            event = answer["event"]
            self.events[hospital].append((event["sigma"], event["q"], event["steps"]))
            self.promised[hospital, chosen["study"]][kind] -= 1

    @rule(number=study)
    def finish_a_round(self, number: int) -> None:
        for hospital in SITES:
            self.contribute(number, hospital, again=False)
        self.close(number)

    @rule(number=study)
    def close(self, number: int) -> None:
        chosen = self.pick(number)
        head = chosen and self.head(chosen)
        if head:
            model = None if head["round"] > chosen["plan"]["rounds"] else fresh()
            self.attempt(lambda: self.world.runner("Close", chosen, head["round"], head["attempt"], model=model))

    @rule(number=study)
    def abort(self, number: int) -> None:
        chosen = self.pick(number)
        head = chosen and self.head(chosen)
        if head:
            self.attempt(lambda: self.world.runner("Abort", chosen, head["round"], head["attempt"], reason="tried"))

    @rule(number=study)
    def stop(self, number: int) -> None:
        if chosen := self.pick(number):
            arguments = {"study": chosen["study"], "reason": "tried"}
            self.attempt(lambda: self.world.ledger.submit(f"{INSTITUTE}.runner", "studies:Stop", arguments))

    @rule(number=study, hospital=site)
    def release(self, number: int, hospital: str) -> None:
        if chosen := self.pick(number):
            arguments = {"study": chosen["study"]}
            if self.attempt(lambda: self.world.ledger.submit(f"{hospital}.site", "budget:Release", arguments)):
                self.promised[hospital, chosen["study"]] = {"training": 0, "metric": 0}

    def nobody_is_over(self, acting: Iterable[str], delta: str = "0.0001") -> None:
        """After a promise or an opening at `acting`: everybody whose patients it touches is within the cap."""
        at = min("0.0001", delta, key=Decimal)
        for hospital in HOSPITALS:
            if any(hospital == other or frozenset((hospital, other)) not in self.apart for other in acting):
                assert rdp.epsilon(self.exposure(hospital), at) <= CAP

    def exposure(self, hospital: str) -> rdp.Curve:
        """Every event, done or promised, at any hospital where a patient of this one may be."""
        met = [other for other in HOSPITALS if other == hospital or frozenset((hospital, other)) not in self.apart]
        return rdp.plus(*(self.spent(other) for other in met), *(self.held(other) for other in met))

    def spent(self, hospital: str) -> rdp.Curve:
        return rdp.plus(rdp.NOTHING, *(curve(*event) for event in self.events[hospital]))

    def held(self, hospital: str) -> rdp.Curve:
        return rdp.plus(
            rdp.NOTHING,
            *(
                whole(chosen["plan"], left["training"], left["metric"])
                for chosen in self.studies
                if (left := self.promised.get((hospital, chosen["study"])))
            ),
        )

    @invariant()
    def no_patient_is_exposed_over_a_cap(self) -> None:
        for hospital in HOSPITALS:
            account = self.world.account(hospital)
            epsilons = [Decimal(account[f"epsilon_{name}"]) for name in ("spent", "reserved", "exposure")]
            assert epsilons == sorted(epsilons)
            assert epsilons[2] == rdp.epsilon(self.exposure(hospital), account["delta"])
            assert epsilons[2] <= CAP or self.narrowed

    @invariant()
    def every_spend_is_in_the_account_once_and_every_promise_is_held(self) -> None:
        for hospital in HOSPITALS:
            account = self.world.ledger.record(f"budget/account/{hospital}")
            assert rdp.read(account["spent"]) == self.spent(hospital)
            assert rdp.read(account["reserved"]) == self.held(hospital)


def pairs(hospitals: Iterable[str]) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(pair) for pair in combinations(hospitals, 2))


def curve(sigma: str, q: str | None, steps: int) -> rdp.Curve:
    return rdp.times(rdp.gaussian(sigma) if q is None else rdp.subsampled_gaussian(sigma, q), steps)


def whole(plan: Any, training: int, metric: int) -> rdp.Curve:
    privacy = plan["privacy"]
    event = curve(privacy["sigma"], privacy["q"], privacy["steps"])
    return rdp.plus(rdp.times(event, training), rdp.times(curve(plan["metrics"]["sigma"], None, 1), metric))


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(
    max_examples=examples(60, 1000),
    stateful_step_count=40,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_the_model_itself_can_fail():
    """A spend that is not in the account is seen: the invariant is no tautology."""
    machine: Any = Accounts()
    machine.begin(HOSPITALS)
    machine.events[SITES[0]].append(("20", "0.1", 4))
    with pytest.raises(AssertionError):
        machine.every_spend_is_in_the_account_once_and_every_promise_is_held()


def test_contracts_that_look_at_one_hospital_alone_are_found_out(monkeypatch):
    """With every hospital counted by itself, two plans at two hospitals overspend a patient of both."""
    machine: Any = Accounts()
    machine.begin(HOSPITALS[2:])
    monkeypatch.setattr("ledger.contracts.exposure.meets", lambda hospital, other, apart: hospital == other)
    with pytest.raises(AssertionError):
        for hospital in SITES:
            machine.propose(("1.1", "0.2"), (8, 0), (hospital,), "0.0001", all_approve=True)
