"""May this be used for that, now? Permit, deny or abstain (a person decides), each with a rule and a reason.

Whatever is unknown is denied. A patient's consent and a data set's own terms are judged by the same rules; modifiers
that a program cannot check make it abstain, and at the gate only a permit counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from consent import diseases, duo, periods, presets
from consent.errors import ConsentError
from consent.grant import Details
from consent.purpose import Purpose
from consent.reasons import REASONS

Verdict = Literal["permit", "deny", "abstain"]
_OPENNESS: dict[Verdict, int] = {"deny": 0, "abstain": 1, "permit": 2}


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer: `verdict`, and `rule`, the stable id of the rule that gave it."""

    verdict: Verdict
    rule: str

    @property
    def reason(self) -> str:
        """Why, in words for the patient."""
        return REASONS[self.rule]

    @property
    def permits(self) -> bool:
        return self.verdict == "permit"


class ConsentView(msgspec.Struct, frozen=True):
    """What a site knows of one grant at a height of the ledger.

    `status`: "active", "withdrawn" or "tombstone"; "unknown" where the ledger has nothing. `valid_from`, `valid_until`:
    months "YYYY-MM". `recorded_at`, `withdrawn_at`: epoch seconds. `details`: opened at the patient's hospital alone.
    """

    status: str
    preset: str
    valid_from: str
    valid_until: str
    recorded_at: int | None
    withdrawn_at: int | None
    details: Details | None


def decide(view: ConsentView, purpose: Purpose, when: int) -> Decision:
    """Whether the patient's grant allows `purpose` at `when` (epoch seconds of contract time). Never raises."""
    return _judge_grant(_facts(view, _Now(when)), purpose)


def decide_all(views: Iterable[ConsentView], purpose: Purpose, when: int) -> list[Decision]:
    """What `decide` answers for each of `views`, in order; equal facts are judged once."""
    known, now = _Known(purpose), _Now(when)
    return [known[_facts(view, now)] for view in views]


def decide_record(details: Details, day: str | None) -> Decision:
    """Whether a record made on `day` ("YYYY-MM-DD", None where nobody knows) lies in the patient's window of dates."""
    if details.data_from is None and details.data_until is None:
        return Decision("permit", "record.no-window")
    if day is None or not periods.is_day(day):
        return Decision("deny", "record.undated")
    first, last = details.data_from or day, details.data_until or day
    if periods.is_day(first) and periods.is_day(last) and first <= day <= last:
        return Decision("permit", "record.in-window")
    return Decision("deny", "record.outside-window")


def decide_dataset(codes: Sequence[str], allowed: Sequence[str], purpose: Purpose) -> Decision:
    """Whether a data set under the DUO terms `codes`, for the diseases `allowed` (Mondo), may serve `purpose`.

    Strict: exactly one permission must stand, else abstain. Never raises: an unknown or obsolete code denies.
    """
    try:
        known = {duo.canonical(code) for code in codes}
    except ConsentError:
        return Decision("deny", "terms.unknown")
    permissions = sorted(known & duo.PERMISSIONS.keys())
    modifiers = tuple(sorted(known & duo.MODIFIERS.keys()))
    if len(permissions) != 1:
        return Decision("abstain", "terms.no-single-permission")
    return judge_terms(presets.Terms(tuple(permissions), modifiers, tuple(allowed)), purpose)


def judge_terms(terms: presets.Terms, purpose: Purpose) -> Decision:
    """The most open answer of the permissions, then the most closed of that and the modifiers."""
    decisions = [_judge_permission(code, terms.diseases, purpose) for code in terms.permissions]
    opened = max(decisions, key=_openness, default=Decision("deny", "terms.none"))
    return min([opened, *(_judge_modifier(code, purpose) for code in terms.modifiers)], key=_openness)


def _judge_permission(code: str, allowed: Sequence[str], purpose: Purpose) -> Decision:
    if code == duo.NRES:
        return Decision("permit", "permission.no-restriction")
    if purpose.duo == duo.POA or purpose.ancestry:
        return _judge_ancestry(code, purpose)
    if code not in {general.code for general in duo.generalisations(purpose.duo)}:
        return Decision("deny", "permission.wider")
    if code != duo.DS:
        return Decision("permit", "permission.covers")
    if _covered(allowed, purpose.diseases):
        return Decision("permit", "permission.disease")
    return Decision("deny", "permission.other-disease")


def _judge_ancestry(code: str, purpose: Purpose) -> Decision:
    """Ancestry stands apart: HMB excludes it by its definition; under GRU ("any research purpose") a person decides."""
    if code == duo.POA and purpose.duo == duo.POA:
        return Decision("permit", "permission.covers")
    return Decision("abstain", "permission.ancestry") if code == duo.GRU else Decision("deny", "permission.no-ancestry")


def _judge_modifier(code: str, purpose: Purpose) -> Decision:
    broken = {
        duo.NCU: purpose.commercial,
        duo.NPU: purpose.for_profit,
        duo.NPUNCU: purpose.commercial or purpose.for_profit,
        duo.NMDS: purpose.methods,
        duo.NPOA: purpose.ancestry or purpose.duo == duo.POA,
        duo.GSO: not purpose.genetic,
        duo.CC: False,  # opens clinical care as well; takes nothing from research, and our purposes are research
    }
    if code not in broken:
        return Decision("abstain", "modifier.needs-person")
    if broken[code]:
        return Decision("deny", f"modifier.{duo.MODIFIERS[code].shorthand}")
    return Decision("permit", "modifier.kept")


class _Calendar(dict[str, int | None]):
    """How a date stands to `now`, written alike: -1 before, 0 the same, 1 after, None where it is no such date."""

    def __init__(self, now: str, is_date: Callable[[str], bool]) -> None:
        super().__init__()
        self._now, self._is_date = now, is_date

    def __missing__(self, date: str) -> int | None:
        self[date] = relation = (date > self._now) - (date < self._now) if self._is_date(date) else None
        return relation


class _Now:
    """The moment of a decision, with what is known of the dates met so far."""

    def __init__(self, when: int) -> None:
        self.when = when
        self.months = _Calendar(periods.month_of(when), periods.is_month)
        self.days = _Calendar(periods.day_of(when), periods.is_day)


# how a first and a last day or month stand to now
_Span = tuple[int | None, int | None]
# status, preset, months, recorded by now, withdrawn; the details' days and diseases
_Facts = tuple[str, str, _Span, bool, bool, tuple[_Span, tuple[str, ...]] | None]


def _facts(view: ConsentView, now: _Now) -> _Facts:
    """All that a decision looks at, so coarse that many grants share it."""
    details, recorded, months, days = view.details, view.recorded_at, now.months, now.days
    return (
        view.status,
        view.preset,
        (months[view.valid_from], months[view.valid_until]),
        recorded is not None and recorded <= now.when,
        view.withdrawn_at is not None,
        None if details is None else ((days[details.starts], days[details.ends]), details.diseases),
    )


class _Known(dict[_Facts, Decision]):
    """Decisions by facts, each made when it is first asked for."""

    def __init__(self, purpose: Purpose) -> None:
        super().__init__()
        self._purpose = purpose

    def __missing__(self, facts: _Facts) -> Decision:
        decision = self[facts] = _judge_grant(facts, self._purpose)
        return decision


def _judge_grant(facts: _Facts, purpose: Purpose) -> Decision:
    status, preset, months, recorded, withdrawn, details = facts
    broken = _standing(status, recorded, withdrawn)
    if not broken and details is None:
        broken = "consent.not-opened"
    if not broken and details is not None:
        days, finer = details
        broken = _time(months) or _time(days) or _choice(preset, finer, purpose)
    return Decision("deny", broken) if broken else judge_terms(presets.PRESETS[preset], purpose)


def _standing(status: str, recorded: bool, withdrawn: bool) -> str | None:
    """The rule that a grant of this status breaks, if any; likewise below."""
    if status in {"withdrawn", "tombstone"} or withdrawn:
        return "consent.withdrawn"
    if status != "active":
        return "consent.unknown"
    return None if recorded else "consent.not-yet-recorded"


def _time(span: _Span) -> str | None:
    first, last = span
    if first is None or last is None:
        return "consent.unclear-dates"
    if first > 0:
        return "consent.not-yet"
    return "consent.expired" if last < 0 else None


def _choice(preset: str, finer: tuple[str, ...], purpose: Purpose) -> str | None:
    if preset not in presets.PRESETS:
        return "consent.unknown-choice"
    return "consent.finer-choice" if finer and not _covered(finer, purpose.diseases) else None


def _covered(allowed: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether diseases are named, and each is one of `allowed` or a kind of it."""
    return bool(wanted) and all(any(diseases.covers(one, each) for one in allowed) for each in wanted)


def _openness(decision: Decision) -> int:
    return _OPENNESS[decision.verdict]
