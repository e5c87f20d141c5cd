"""Privacy accounts: what was released from a hospital's own data sets, and what is promised.

What that means for a patient, who may be in several hospitals, and for the caps: `exposure`.

State: `budget/account/<msp>` -> Account (one a hospital, whatever number of data sets, versions and derived sets it
has), `budget/disjoint` -> Disjoint, `budget/counts-account/<msp>` -> CountsAccount.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from consent.canonical import Document
from ledger.contracts import rdp
from ledger.contracts.constitution import MAX_DELTA, MAX_EPSILON
from ledger.contracts.rdp import Curve
from ledger.contracts.state import Ledger
from ledger.errors import Refused

DISJOINT = "budget/disjoint"


class Account(Document, frozen=True):
    """A hospital's account. `cap`: epsilon at `delta`. `spent`, `reserved`: its own events' RDP curves, in 1e-18."""

    hospital: str
    cap: str
    delta: str
    spent: tuple[str, ...]
    reserved: tuple[str, ...]


class Disjoint(Document, frozen=True):
    """The hospitals whose patients count as different people, by the executed `proposal`; sorted."""

    hospitals: tuple[str, ...]
    proposal: str


class CountsAccount(Document, frozen=True):
    """What the noised counts of a hospital's data sets have spent together; apart from every study's budget."""

    hospital: str
    spent: tuple[str, ...]


def key(hospital: str) -> str:
    return f"budget/account/{hospital}"


def counts_key(hospital: str) -> str:
    return f"budget/counts-account/{hospital}"


def require(ledger: Ledger, hospital: str) -> Account:
    """The hospital's account; refuses `budget.no-account`."""
    account = ledger.find(key(hospital), Account)
    if account is None:
        raise Refused("budget.no-account", "this hospital opens its account first", hospital=hospital)
    return account


def check_cap(cap: str) -> None:
    """Refuses `budget.cap`: not above 0, or above the constitution's ceiling."""
    if not 0 < Decimal(cap) <= Decimal(MAX_EPSILON):
        raise Refused("budget.cap", f"a cap is above 0 and at most {MAX_EPSILON}", cap=cap)


def check_delta(delta: str) -> None:
    """Refuses `budget.delta`: not above 0, or too large even for the smallest data set."""
    if not 0 < Decimal(delta) <= MAX_DELTA:
        raise Refused("budget.delta", f"delta is above 0 and at most {MAX_DELTA}", delta=delta)


def check_delta_for(account: Account, top: int) -> None:
    """Refuses `budget.delta`: at one in `top` patients or more, delta would allow publishing one of them."""
    if Decimal(account.delta) * top >= 1:
        raise Refused(
            "budget.delta",
            f"the account's delta stays below 1/{top}, one patient of this data set: register a smaller one",
            hospital=account.hospital,
            delta=account.delta,
        )


def promise(account: Account, plan: Curve) -> Account:
    """The account with `plan` promised."""
    return replace(account, reserved=rdp.written(rdp.plus(rdp.read(account.reserved), plan)))


def spend(account: Account, event: Curve) -> Account:
    """The account after `event`, which was promised, has happened."""
    return replace(
        account,
        spent=rdp.written(rdp.plus(rdp.read(account.spent), event)),
        reserved=rdp.written(rdp.minus(rdp.read(account.reserved), event)),
    )


def give_back(account: Account, rest: Curve) -> Account:
    """The account after `rest`, which was promised, will not happen any more."""
    return replace(account, reserved=rdp.written(rdp.minus(rdp.read(account.reserved), rest)))
