"""No interleaving of approvals, rounds, aborts, stops and releases takes an account over its cap, or loses a spend."""

from __future__ import annotations

from decimal import Decimal
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
SIGMAS = st.sampled_from(["1.1", "3", "8"])
RATES = st.sampled_from(["0.1", "0.2", "1"])
APPROVING = st.sampled_from([SITES, SITES, SITES[:1], ()])


class Accounts(RuleBasedStateMachine):
    """Two hospitals and up to four studies; `events`: every event each hospital has spent, by the answers alone."""

    @initialize(disjoint=st.booleans())
    def begin(self, disjoint: bool) -> None:
        self.world = World(MemoryLedger())
        self.world.found()
        if not disjoint:
            self.world.declare_disjoint(list(HOSPITALS[2:]))
        self.studies: list[Any] = []
        self.events: dict[str, list[tuple[str, ...]]] = {hospital: [] for hospital in SITES}
        self.updates: dict[tuple[str, int, int, str], str] = {}
        self.propose("3", "0.2", 2, 1, SITES)
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

    @rule(sigma=SIGMAS, q=RATES, rounds=st.integers(1, 3), spares=st.integers(0, 2), approving=APPROVING)
    def propose(self, sigma: str, q: str, rounds: int, spares: int, approving: tuple[str, ...]) -> None:
        if len(self.studies) < 4:
            changes = {
                "privacy__sigma": sigma,
                "privacy__q": q,
                "rounds": rounds,
                "spare_attempts": spares,
                "quorum": 1,
            }
            plan = self.world.plan(SITES, **changes)
            if proposed := self.attempt(lambda: self.world.propose_study(plan)):
                self.studies.append(proposed)
                for hospital in approving:
                    self.attempt(lambda: self.world.approve(proposed, hospital))  # noqa: B023  # called at once

    @rule(number=study, hospital=site)
    def approve(self, number: int, hospital: str) -> None:
        if chosen := self.pick(number):
            self.attempt(lambda: self.world.approve(chosen, hospital))

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
            for hospital in SITES:
                (self.world.decline if hospital in declining else self.world.commit)(hospital, chosen, *place)
            self.world.runner("Fix", chosen, *place)

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
        if place[0] > chosen["plan"]["rounds"]:
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
            self.attempt(lambda: self.world.ledger.submit(f"{hospital}.site", "budget:Release", arguments))

    @invariant()
    def no_account_is_over_its_cap(self) -> None:
        for hospital in SITES:
            account = self.world.account(hospital)
            assert Decimal(account["epsilon_spent"]) <= Decimal(account["epsilon_reserved"]) <= CAP

    @invariant()
    def every_spend_is_in_the_account_once_and_every_promise_is_held(self) -> None:
        for hospital in SITES:
            account = self.world.ledger.record(f"budget/account/{hospital}")
            charged = [curve(*event) for event in self.events[hospital]]
            promised = []
            for chosen in self.studies:
                reservation = self.world.ledger.state.get(f"budget/reservation/{hospital}/{chosen['study']}")
                if reservation is not None:
                    held = self.world.ledger.record(f"budget/reservation/{hospital}/{chosen['study']}")
                    promised.append(whole(chosen["plan"], held["training"], held["metric"]))
                    spares = chosen["plan"]["rounds"] + chosen["plan"]["spare_attempts"]
                    charged += [whole(chosen["plan"], spares, 1)] * held["shared"]
            assert rdp.read(account["spent"]) == rdp.plus(rdp.NOTHING, *charged)
            assert rdp.read(account["reserved"]) == rdp.plus(rdp.NOTHING, *promised)


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
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_the_model_itself_can_fail():
    """A spend that is not in the account is seen: the invariant is no tautology."""
    machine: Any = Accounts()
    machine.begin(True)
    machine.events[SITES[0]].append(("20", "0.1", 4))
    with pytest.raises(AssertionError):
        machine.every_spend_is_in_the_account_once_and_every_promise_is_held()
