"""Studies whose models wait for a day: which of them may be released now, by the same rule as the contract's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from consent import duo
from portal.grid.models import State, StudyRun
from portal.reactor import selectors as mirror

HELD = "studies.embargo"


def over(now: datetime | None = None) -> Iterator[str]:
    """The studies that were held for an embargo which has ended by `now` (UTC)."""
    today = f"{now or datetime.now(UTC):%Y-%m-%d}"
    for run in StudyRun.objects.filter(state=State.HELD, reason=HELD):
        first = first_day(str(run.study))
        if first is None or first <= today:
            yield str(run.study)


def first_day(study: str) -> str | None:
    """The latest of all days before which something forbids results (as ledger.contracts.embargoes), or None."""
    plan = mirror.record(f"studies/study/{study}")["plan"]
    purpose = mirror.record(f"access/request/{plan['request']}")["purpose"]
    days = [(purpose.get("asking") or {}).get("publishes_from")]
    for one in plan["datasets"]:
        terms = mirror.record(f"catalogue/dataset/{one['dataset']}/{one['version']}")
        days += [day for named in terms.get("conditions", ()) if named["term"] == duo.MOR for day in named["values"]]
    return max((day for day in days if day), default=None)
