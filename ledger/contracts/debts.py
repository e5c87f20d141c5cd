"""What an institution owes to hospitals once its studies have ended, and what hangs on it when the day is over.

State: `studies/debts/<msp>` -> Debts. A debt begins when a study that owes results ends, and goes when each hospital
has said that they are there, or the consortium has waived them by a vote.
"""

from __future__ import annotations

from msgspec.structs import replace

from consent import periods
from consent.canonical import Document
from ledger.contracts.fields import Day, Uuid
from ledger.contracts.state import Ledger
from ledger.errors import Refused


class Debt(Document, frozen=True):
    """Results of one study. `hospitals`: whom they are owed to. `due`: the last day of the access it rested on."""

    study: Uuid
    hospitals: tuple[str, ...]
    due: Day


class Debts(Document, frozen=True):
    """All that `organisation`, a sponsor, owes."""

    organisation: str
    owed: tuple[Debt, ...]


def key(organisation: str) -> str:
    return f"studies/debts/{organisation}"


def of(ledger: Ledger, organisation: str) -> Debts:
    return ledger.find(key(organisation), Debts) or Debts(organisation=organisation, owed=())


def incur(ledger: Ledger, organisation: str, debt: Debt) -> None:
    """Note what a study that ends owes, if that is anything."""
    if debt.hospitals:
        standing = of(ledger, organisation)
        ledger.put(key(organisation), replace(standing, owed=(*standing.owed, debt)))


def settle(ledger: Ledger, organisation: str, study: str, hospital: str) -> None:
    """Take one hospital's part of a debt away, if it is noted."""
    standing = of(ledger, organisation)
    left = [one if one.study != study else without(one, hospital) for one in standing.owed]
    settled = replace(standing, owed=tuple(one for one in left if one.hospitals))
    if settled != standing:
        ledger.put(key(organisation), settled)


def without(debt: Debt, hospital: str) -> Debt:
    return replace(debt, hospitals=tuple(one for one in debt.hospitals if one != hospital))


def check(ledger: Ledger, organisation: str) -> None:
    """Refuses `studies.return-overdue`: who keeps results back beyond their day gets nothing new."""
    late = [one for one in of(ledger, organisation).owed if ledger.now >= periods.days(one.due, one.due).end]
    if late:
        hospitals = sorted({hospital for one in late for hospital in one.hospitals})
        raise Refused(
            "studies.return-overdue",
            f"results that {organisation} owes to {', '.join(hospitals)} are overdue: nothing new is permitted before "
            "they have come back and these hospitals' stewards say so",
            organisation=organisation,
            hospitals=hospitals,
            studies=[one.study for one in late],
        )
