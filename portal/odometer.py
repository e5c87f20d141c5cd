"""What each hospital's patients have been through: the account that gates, and the events behind it that are reported.

The ledger's account holds a curve and gates by it (RDP). The events stand beside it, each with the update or the counts
that it paid for, so that anybody can add them up again, and report them more tightly (PLD).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import msgspec

from ledger.contracts import accounts, exposure, rdp, reservations
from ledger.contracts.accounts import Account
from ledger.contracts.rdp import Curve
from ledger.contracts.reservations import Reservation
from ledger.contracts.study import Plan
from portal.errors import PortalError
from training.federation.studies import LedgerView
from training.privacy.accountants import reported_epsilon
from training.privacy.events import Event, Gaussian, PoissonSampledGaussian

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Cost:
    """A history: its curve as the contract adds it up, and its events in the order of the ledger."""

    curve: Curve = rdp.NOTHING
    events: tuple[Event, ...] = ()

    def __add__(self, other: Cost) -> Cost:
        return Cost(rdp.plus(self.curve, other.curve), self.events + other.events)

    def gated(self, delta: str) -> Decimal:
        """Epsilon by RDP, in the contract's own decimals, rounded up to a millionth."""
        return rdp.epsilon(self.curve, delta).quantize(rdp.PLACES)

    def reported(self, delta: str) -> float:
        """Epsilon by PLD."""
        return reported_epsilon(self.events, float(delta))


@dataclass(frozen=True, slots=True)
class Standing:
    """A hospital's account. `reserved`: promised to approved studies and not spent yet.

    `elsewhere`: spent and reserved at the hospitals whose patients may be this one's too. The cap bounds all three.
    """

    hospital: str
    cap: Decimal
    delta: str
    spent: Cost
    reserved: Cost
    elsewhere: Cost

    @property
    def exposure(self) -> Cost:
        return self.spent + self.reserved + self.elsewhere


def standings(view: LedgerView) -> dict[str, Standing]:
    """Every account on the ledger that `view` shows, by MSP id.

    Raises PortalError `budget.history-differs` where the events that stand there are not what an account has spent.
    """
    spent, reserved = spends(view), promises(view)
    found = {
        key.rpartition("/")[2]: read(entry.body, Account) for key, entry in view.entries("budget/account/").items()
    }
    for hospital, account in found.items():
        for what, cost in ((account.spent, spent[hospital]), (account.reserved, reserved[hospital])):
            if rdp.read(what) != cost.curve:
                raise PortalError(
                    "budget.history-differs",
                    f"the events on this ledger do not add up to the account of {hospital}: verify an export of it",
                    hospital=hospital,
                )
    apart = set_apart(view)
    return {
        hospital: Standing(
            hospital=hospital,
            cap=Decimal(account.cap),
            delta=account.delta,
            spent=spent[hospital],
            reserved=reserved[hospital],
            elsewhere=sum(
                (
                    spent[other] + reserved[other]
                    for other in sorted(found)
                    if other != hospital and exposure.meets(hospital, other, apart)
                ),
                Cost(),
            ),
        )
        for hospital, account in sorted(found.items())
    }


def spends(view: LedgerView) -> Mapping[str, Cost]:
    """What each hospital spent: one event for every update and every release of counts that stands, in order."""
    entries = [*view.entries("studies/update/").items(), *view.entries("studies/measurement/").items()]
    found: dict[str, Cost] = defaultdict(Cost)
    for _, entry in sorted(entries, key=lambda item: (item[1].block, item[0])):
        found[entry.body["hospital"]] += of_event(read(entry.body["event"], reservations.Event), 1)
    return found


def promises(view: LedgerView) -> Mapping[str, Cost]:
    """What each hospital has still reserved for approved studies."""
    found: dict[str, Cost] = defaultdict(Cost)
    for _, entry in sorted(view.entries("budget/reservation/").items()):
        held = read(entry.body, Reservation)
        study = view.entry(f"studies/study/{held.study}")
        if study is not None:
            plan = read(study.body["plan"], Plan)
            found[held.hospital] += of_event(reservations.event_of(plan, "training"), held.training)
            found[held.hospital] += of_event(reservations.event_of(plan, "metric"), held.metric)
    return found


def set_apart(view: LedgerView) -> frozenset[str]:
    """The hospitals whose patients an executed proposal declares to be different people."""
    entry = view.entry(accounts.DISJOINT)
    return frozenset(() if entry is None else entry.body["hospitals"])


def of_event(event: reservations.Event, count: int) -> Cost:
    """`event`, `count` times."""
    if count == 0:
        return Cost()
    curve = rdp.times(reservations.curve_of(event), count)
    if event.q is None:
        return Cost(curve, (Gaussian(float(event.sigma)),) * (count * event.steps))
    return Cost(curve, (PoissonSampledGaussian(float(event.sigma), float(event.q), event.steps * count),))


def read(body: Mapping[str, object], kind: type[T]) -> T:
    """A record of the ledger as the contracts' own type. Raises PortalError `budget.record-odd`."""
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        message = f"a record does not read as {kind.__name__} ({error}): it was written by other contract code"
        raise PortalError("budget.record-odd", message) from None
