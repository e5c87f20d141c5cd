"""Exposure: what the patients of one hospital may have been through anywhere in the consortium.

A patient may be a patient of several hospitals, and nobody may look. So a cap bounds more than the account: the
hospital's own curve (spent and promised), and that of every other hospital of the consortium which no executed
proposal sets apart from it. Each event stands in one account alone; who is exposed to it is worked out here, anew each
time, so a declaration counts for what was spent before it as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ledger.contracts import accounts, members, rdp
from ledger.contracts.accounts import Account, Disjoint
from ledger.contracts.constitution import MAX_EPSILON
from ledger.contracts.rdp import Curve
from ledger.contracts.state import Ledger
from ledger.errors import Refused


@dataclass(frozen=True, slots=True)
class Exposure:
    """A hospital's account as it stands, its patients' exposure now, and both curves after a promise."""

    account: Account
    before: Curve
    own_after: Curve
    after: Curve


def grown(ledger: Ledger, growth: Mapping[str, Curve]) -> Iterator[Exposure]:
    """The exposure of every hospital with an account, by MSP id, that a promise of `growth` touches.

    `growth`: MSP id -> what that hospital promises on top. A hospital without an account has no cap yet.
    """
    standing = find_all(ledger)
    before = {hospital: curve_of(account) for hospital, account in standing.items()}
    after = {hospital: rdp.plus(curve, growth.get(hospital, rdp.NOTHING)) for hospital, curve in before.items()}
    apart = set_apart(ledger)
    for hospital, account in standing.items():
        if account is not None and any(meets(hospital, other, apart) for other in growth):
            yield Exposure(
                account, seen_from(hospital, before, apart), after[hospital], seen_from(hospital, after, apart)
            )


def of(ledger: Ledger, hospital: str) -> Curve:
    """What the patients of `hospital` may have been exposed to, with all that is promised."""
    curves = {other: curve_of(account) for other, account in find_all(ledger).items()}
    return seen_from(hospital, curves, set_apart(ledger))


def check_growth(ledger: Ledger, growth: Mapping[str, Curve], delta: str) -> None:
    """Return quietly if everybody stays within the cap, at the account's delta and at `delta`, the plan's own.

    Refuses `budget.over-cap` (names the hospital).
    """
    for one in grown(ledger, growth):
        check(one.account, one.after, min(one.account.delta, delta, key=Decimal))


def check_standing(ledger: Ledger, hospitals: tuple[str, ...]) -> None:
    """Return quietly if nobody whom events at `hospitals` touch is over the cap already.

    No promise leads there; a vote that lowers a cap, or takes back a declaration, can. Refuses `budget.over-cap`.
    """
    for one in grown(ledger, dict.fromkeys(hospitals, rdp.NOTHING)):
        check(one.account, one.after, one.account.delta)


def check(account: Account, exposure: Curve, delta: str) -> None:
    """Refuses `budget.over-cap`: the exposure stays under the account's cap and the constitution's ceiling."""
    limit = min(Decimal(account.cap), Decimal(MAX_EPSILON))
    would_be = rdp.epsilon(exposure, delta)
    if would_be > limit:
        raise Refused(
            "budget.over-cap",
            "this would take what the hospital's patients may be exposed to over its cap: plan less, or noisier",
            hospital=account.hospital,
            cap=str(limit),
            delta=delta,
            epsilon=str(would_be),
        )


def find_all(ledger: Ledger) -> dict[str, Account | None]:
    """The account of every hospital of the consortium, by MSP id; None where none is open."""
    hospitals = members.require_consortium(ledger).hospitals
    ledger.expect([accounts.key(hospital) for hospital in hospitals])
    return {hospital: ledger.find(accounts.key(hospital), Account) for hospital in hospitals}


def set_apart(ledger: Ledger) -> frozenset[str]:
    """The hospitals whose patients the last executed declaration says to be different people."""
    declared = ledger.find(accounts.DISJOINT, Disjoint)
    return frozenset(() if declared is None else declared.hospitals)


def meets(hospital: str, other: str, apart: frozenset[str]) -> bool:
    """Whether a patient of `hospital` may be touched by what happens at `other`."""
    return hospital == other or not {hospital, other} <= apart


def seen_from(hospital: str, curves: Mapping[str, Curve], apart: frozenset[str]) -> Curve:
    """All of `curves` that the patients of `hospital` may have been part of."""
    return rdp.plus(rdp.NOTHING, *(curve for other, curve in curves.items() if meets(hospital, other, apart)))


def curve_of(account: Account | None) -> Curve:
    """What an account has spent and promised."""
    return rdp.NOTHING if account is None else rdp.plus(rdp.read(account.spent), rdp.read(account.reserved))
