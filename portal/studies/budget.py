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
    """Epsilon at the account's delta: `spent`, `reserved` on top of it, `elsewhere` on top of both, and `cap`.

    `elsewhere`: what other hospitals spent and promised whose patients may be this hospital's patients too.
    """

    hospital: str
    cap: float
    delta: str
    spent: float
    reserved: float
    elsewhere: float

    @property
    def left(self) -> float:
        return max(0.0, self.cap - self.spent - self.reserved - self.elsewhere)

    @property
    def bar(self) -> charts.BudgetBar:
        return charts.budget_bar(cap=self.cap, spent=self.spent, reserved=self.reserved, elsewhere=self.elsewhere)

    @property
    def summary(self) -> str:
        parts = [f"{self.spent:.2f} is spent", f"{self.reserved:.2f} is reserved for approved studies"]
        if self.elsewhere:
            parts.append(f"{self.elsewhere:.2f} may reach the same patients through other hospitals")
        return f"Of epsilon {self.cap:g}, {', '.join(parts)} and {self.left:.2f} is left."


def account(role: str, hospital: str) -> Account | None:
    """The account of `hospital`, asked of the contract as `role`; None where none is open. Raises LedgerUnavailable."""
    found = ledger.evaluate(role, "budget:Account", {"hospital": hospital})
    if found is None:
        return None
    spent, both, exposure = (float(found[f"epsilon_{name}"]) for name in ("spent", "reserved", "exposure"))
    return Account(hospital, float(found["cap"]), found["delta"], spent, both - spent, exposure - both)


@dataclass(frozen=True, slots=True)
class Quote:
    """What a plan does to one hospital, before and after, by the contract: epsilon at `delta`.

    `epsilon_*`: of the hospital's own account. `exposure_*`: of its patients, who may be other hospitals' patients too;
    the cap bounds this one.
    """

    hospital: str
    title: str
    cap: str
    delta: str
    epsilon_before: str
    epsilon_after: str
    exposure_before: str
    exposure_after: str

    @property
    def fits(self) -> bool:
        return Decimal(self.exposure_after) <= Decimal(self.cap)


def quotes(role: str, plan: Mapping[str, Any], approving: list[str]) -> list[Quote]:
    """What it would do to every hospital whose patients `plan` may touch, if the hospitals `approving` approved it.

    The contract's own arithmetic, nothing written. Raises Refused, LedgerUnavailable.
    """
    answer = ledger.evaluate(role, "budget:Quote", {"plan": plan, "approving": approving})
    return [Quote(title=organisation_title(one["hospital"]), **one) for one in answer.values()]
