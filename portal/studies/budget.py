"""A hospital's privacy account as the ledger itself computes it, for the pages of its stewards and of researchers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portal import ledger
from portal.catalogue.selectors import organisation_title
from portal.studies import charts


@dataclass(frozen=True, slots=True)
class Account:
    """Epsilon at the account's delta: `spent`, `reserved` on top of it, and `cap`."""

    hospital: str
    cap: float
    delta: str
    spent: float
    reserved: float

    @property
    def left(self) -> float:
        return max(0.0, self.cap - self.spent - self.reserved)

    @property
    def bar(self) -> charts.BudgetBar:
        return charts.budget_bar(cap=self.cap, spent=self.spent, reserved=self.reserved)

    @property
    def summary(self) -> str:
        return (
            f"Of epsilon {self.cap:g}, {self.spent:.2f} is spent, {self.reserved:.2f} is reserved for approved studies "
            f"and {self.left:.2f} is left."
        )


def account(role: str, hospital: str) -> Account | None:
    """The account of `hospital`, asked of the contract as `role`; None where none is open. Raises LedgerUnavailable."""
    found = ledger.evaluate(role, "budget:Account", {"hospital": hospital})
    if found is None:
        return None
    both, spent = float(found["epsilon_reserved"]), float(found["epsilon_spent"])
    return Account(hospital, float(found["cap"]), found["delta"], spent, max(0.0, both - spent))


@dataclass(frozen=True, slots=True)
class Quote:
    """What a plan does to one hospital's account: epsilon at the account's delta before and after, by the contract."""

    hospital: str
    title: str
    cap: str
    delta: str
    epsilon_before: str
    epsilon_after: str

    @property
    def fits(self) -> bool:
        return Decimal(self.epsilon_after) <= Decimal(self.cap)


def quotes(role: str, plan: Mapping[str, Any]) -> list[Quote]:
    """What `plan` would do to each taking-part hospital's account: the contract's own arithmetic, nothing written.

    Raises Refused, LedgerUnavailable.
    """
    answer = ledger.evaluate(role, "budget:Quote", {"plan": plan})
    return [Quote(title=organisation_title(one["hospital"]), **one) for one in answer.values()]
