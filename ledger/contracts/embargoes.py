"""When a study's model may be released: what its data sets' terms, and what the researcher promised, allow first."""

from __future__ import annotations

from consent import duo, periods
from ledger.contracts import access, catalogue
from ledger.contracts.state import Ledger
from ledger.contracts.study import Plan
from ledger.errors import Refused


def first_day(ledger: Ledger, plan: Plan) -> str | None:
    """The latest of all days before which something forbids results (DUO MOR, "publication moratorium"), or None.

    Patients' own moratoria are kept by their hospital's gate, against the day that the purpose promises.
    """
    asking = access.require_request(ledger, plan.request).purpose.asking
    days = [] if asking is None or asking.publishes_from is None else [asking.publishes_from]
    for source in plan.datasets:
        terms = catalogue.require(ledger, source.dataset, source.version).terms
        days += [day for condition in terms.conditions if condition.term == duo.MOR for day in condition.values]
    return max(days, default=None)


def check(ledger: Ledger, plan: Plan) -> None:
    """Refuses `studies.embargo`."""
    first = first_day(ledger, plan)
    if first is not None and ledger.now < periods.days(first, first).start:
        raise Refused("studies.embargo", f"nothing of this study is released before {first}: wait", first=first)
