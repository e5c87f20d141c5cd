"""The state machine of a grant against a model that remembers everything and looks at the whole history each time."""

from __future__ import annotations

import itertools
import os

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from consent.errors import GrantRefused
from consent.status import Act, Status, after


def model(history: list[Act]) -> Status:
    """By its whole history: withdrawn once is withdrawn for ever; whether a grant came before tells which word."""
    if "withdraw" in history:
        return "withdrawn" if "grant" in history[: history.index("withdraw")] else "tombstone"
    return "active" if history else "unknown"


def step(status: Status, act: Act) -> Status:
    """What a ledger does: a refused act changes nothing."""
    try:
        return after(status, act)
    except GrantRefused:
        return status


def test_all_histories_of_up_to_ten_acts() -> None:
    acts: tuple[Act, Act] = ("grant", "withdraw")
    for length in range(11):
        for history in itertools.product(acts, repeat=length):
            status: Status = "unknown"
            for act in history:
                status = step(status, act)
            assert status == model(list(history))


class Life(RuleBasedStateMachine):
    """Acts in any order, refusals included."""

    def __init__(self) -> None:
        super().__init__()
        self.status: Status = "unknown"
        self.history: list[Act] = []

    @rule()
    def grant(self) -> None:
        refused = "withdraw" in self.history
        self.history.append("grant")
        try:
            self.status = after(self.status, "grant")
        except GrantRefused as refusal:
            assert refused
            assert refusal.code == f"grant.{self.status}"
        else:
            assert not refused

    @rule()
    def withdraw(self) -> None:
        self.history.append("withdraw")
        self.status = after(self.status, "withdraw")

    @invariant()
    def agrees_with_the_model(self) -> None:
        assert self.status == model(self.history)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=1_000 if os.environ.get("COVENANT_SOAK") == "1" else 50, stateful_step_count=20
)
