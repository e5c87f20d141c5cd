"""What researchers and committees read of withdrawals: one line a hospital and month, the same wherever they look.

It speaks of whole hospitals and of a month that is over, in ranges: nobody can tell from it who left which study, or
when. The counts of fitting patients change no sooner: with the next month's answer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from consent import cohort, periods
from portal.reactor import selectors as mirror

FEW = f"fewer than {cohort.SMALLEST}"
SKEW = 600  # seconds: contract times of one block and the next may differ by twice a clock's leeway


@dataclass(frozen=True, slots=True)
class Line:
    """`count`: how many consents ended, as a range; few and none read alike."""

    title: str
    count: str


@dataclass(frozen=True, slots=True)
class Month:
    """`first`: the first day of the month that the lines are about."""

    first: datetime
    lines: tuple[Line, ...]


def last(now: datetime | None = None) -> Month:
    """The last month that is over at `now` (UTC), for every hospital of the consortium."""
    this = f"{now or datetime.now(UTC):%Y-%m}"
    start, end = (periods.month_start(periods.shift_months(this, months)) for months in (-1, 0))
    ended = Counter(withdrawn(start, end).values())
    hospitals = [one for one in mirror.records("members/org/") if one["kind"] == "hospital"]
    lines = tuple(Line(one["name"], words(ended[one["msp"]])) for one in hospitals)
    return Month(datetime.fromtimestamp(start, UTC), lines)


def withdrawn(start: int, end: int) -> dict[str, str]:
    """Commitment -> hospital, of the consents that ended from `start` to `end` (epoch seconds, contract time)."""
    found: dict[str, str] = {}
    for body in mirror.events("consents.withdrawn").values_list("body", flat=True).iterator():
        for key, record in body["records"].items():
            if key.count("/") > 1 or record["hospital"] is None:
                continue
            if record["withdrawn"] < start - SKEW:
                return found
            if start <= record["withdrawn"] < end:
                found[record["commitment"]] = record["hospital"]
    return found


def words(count: int) -> str:
    return FEW if count < cohort.SMALLEST else cohort.bucket_of(count)
