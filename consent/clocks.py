"""Which of one patient's records may be used now: the patient's documents together, by the records' own dates.

Three clocks run at once: whether a grant is valid today, which dates of records it names (its window), and whether it
reaches back before its own first day. What any document denies is taken away from all of them. A record without a date,
or with an odd one, lies outside every window. Days are UTC. (The fourth clock, the last day of the entitlement that the
data is used under, runs on the ledger.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from consent import periods
from consent.decide import GONE, ConsentView
from consent.decision import Decision
from consent.limits import Denial
from consent.occasion import NO_STUDY, Occasion
from consent.purpose import Purpose


@dataclass(frozen=True, slots=True)
class Usable:
    """The days (first and last, both included, in order, apart) whose records may be used. `undated`: whether those
    without a date may be, too. `denied`: whether a no has taken something away.
    """

    spans: tuple[tuple[str, str], ...]
    undated: bool
    denied: bool

    def decide(self, made: str | None) -> Decision:
        """Whether the record made at `made` may be used: a day, or an instant with its time zone; None: nobody knows.

        Never raises.
        """
        day = None if made is None else periods.day_of_record(made)
        if day is None:
            return Decision("permit", "record.no-window") if self.undated else Decision("deny", self._closed("undated"))
        if any(first <= day <= last for first, last in self.spans):
            return Decision("permit", "record.in-window")
        return Decision("deny", self._closed("outside-window"))

    def meet(self, other: Usable) -> Usable:
        """What both leave."""
        both = [(max(one[0], two[0]), min(one[1], two[1])) for one in self.spans for two in other.spans]
        spans = tuple(sorted(span for span in both if span[0] <= span[1]))
        return Usable(spans, self.undated and other.undated, self.denied or other.denied)

    def _closed(self, otherwise: str) -> str:
        return "record.denied" if self.denied else f"record.{otherwise}"


NOTHING = Usable((), undated=False, denied=False)


def usable(
    documents: Iterable[tuple[ConsentView, Decision]], purpose: Purpose, when: int, occasion: Occasion = NO_STUDY
) -> Usable:
    """What one voice's `documents`, each with the decision on it for `purpose` on `occasion` at `when`, leave.

    Pass every document, also those that permit nothing: each may deny. One that stands and cannot be opened may deny
    anything, so nothing is left.
    """
    today = periods.day_of(when)
    windows, denials, undated = [], [], False
    for view, decision in documents:
        if view.status in GONE or view.withdrawn_at is not None:
            continue
        if view.details is None:
            return NOTHING
        denied = view.details.limits.denied
        denials += [one for one in denied if one.holds(today) and one.touches(purpose.diseases, occasion.study)]
        if decision.permits:
            details = view.details
            first = _window(details.data_from, periods.FIRST)
            if not details.retrospective:
                first = max(first, details.starts)
            last = min(_window(details.data_until, today), today)
            windows.append((first, last))
            undated = undated or (details.retrospective and details.data_from is None and details.data_until is None)
    spans = _merged(windows)
    for denial in denials:
        spans = _without(spans, denial)
    return Usable(tuple(spans), undated and not denials, bool(denials))


def _window(day: str | None, otherwise: str) -> str:
    """`day`, where it is one; a window that begins or ends on no day is empty: `~` is after every day."""
    if day is None:
        return otherwise
    return day if periods.is_day(day) else ("~" if otherwise == periods.FIRST else "")


def _merged(windows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    merged: list[tuple[str, str]] = []
    for first, last in sorted(windows):
        if first > last:
            continue
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _without(spans: list[tuple[str, str]], denial: Denial) -> list[tuple[str, str]]:
    """`spans` without the records that `denial` is about."""
    left, first, last = [], denial.data_from, denial.data_until
    for begins, ends in spans:
        if first is not None and begins < first:
            left.append((begins, min(ends, periods.next_day(first, -1))))
        if last is not None and ends > last:
            left.append((max(begins, periods.next_day(last, 1)), ends))
    return left
