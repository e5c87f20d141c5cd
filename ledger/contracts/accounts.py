"""Privacy accounts: what a hospital's patients have been exposed to, what is promised, and what may still come.

State: `budget/account/<msp>` -> Account (one a hospital, whatever number of data sets, versions and derived sets it
has), `budget/disjoint` -> Disjoint, `budget/counts-account/<dataset>` -> CountsAccount.
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
    """A hospital's account. `cap`: epsilon at `delta`. `spent`, `reserved`: RDP curves, units of 1e-18."""

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
    """What the noised counts of one lineage root (`dataset`) have spent; apart from every study's budget."""

    dataset: str
    spent: tuple[str, ...]


def key(hospital: str) -> str:
    return f"budget/account/{hospital}"


def counts_key(dataset: str) -> str:
    return f"budget/counts-account/{dataset}"


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
    """Refuses `budget.delta`."""
    if not 0 < Decimal(delta) <= MAX_DELTA:
        raise Refused("budget.delta", f"delta is above 0 and at most {MAX_DELTA}", delta=delta)


def promise(account: Account, own: Curve, shared: Curve) -> Account:
    """The account with `own` promised, and `shared` (what other hospitals' patients may share) spent at once."""
    return replace(
        account,
        spent=rdp.written(rdp.plus(rdp.read(account.spent), shared)),
        reserved=rdp.written(rdp.plus(rdp.read(account.reserved), own)),
    )


def total(account: Account) -> Decimal:
    """The epsilon of all that is spent and promised, at the account's delta."""
    return rdp.epsilon(rdp.plus(rdp.read(account.spent), rdp.read(account.reserved)), account.delta)


def check_within(account: Account) -> None:
    """Refuses `budget.over-cap`: what is spent and promised together stays under the cap and the ceiling."""
    limit = min(Decimal(account.cap), Decimal(MAX_EPSILON))
    would_be = total(account)
    if would_be > limit:
        raise Refused(
            "budget.over-cap",
            "this would take the hospital's account over its cap: plan less, or noisier",
            hospital=account.hospital,
            cap=str(limit),
            epsilon=str(would_be),
        )


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


def sharing(ledger: Ledger, hospital: str, others: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `others` whose patients count as shared with `hospital`: all that no executed proposal sets apart."""
    declared = ledger.find(DISJOINT, Disjoint)
    apart = declared.hospitals if declared is not None and hospital in declared.hospitals else ()
    return tuple(other for other in others if other != hospital and other not in apart)
