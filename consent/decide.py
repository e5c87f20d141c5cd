"""May this be used for that, now? Permit, deny or abstain (a person decides), each with a rule and a reason.

Whatever is unknown is denied. A patient's consent and a data set's own terms are judged by the same rules; conditions
that a program cannot check make it abstain, and at the gate only a permit counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from consent import conditions, diseases, duo, mandate, periods, presets, terms
from consent.conditions import Moment
from consent.decision import Decision, openness
from consent.errors import ConsentError
from consent.grant import Details
from consent.limits import NO_LIMITS, Limits
from consent.occasion import NO_STUDY, Occasion
from consent.purpose import Purpose
from consent.terms import DatasetTerms, Terms
from consent.versions import Lapse

GONE = frozenset({"withdrawn", "tombstone"})


class ConsentView(msgspec.Struct, frozen=True, gc=False):
    """What a site knows of one grant at a height of the ledger.

    `status`: "active", "withdrawn" or "tombstone"; "unknown" where the ledger has nothing. `valid_from`, `valid_until`:
    months "YYYY-MM". `recorded_at`, `withdrawn_at`: epoch seconds. `details`: opened at the patient's hospital alone.
    `lapse`: that a newer version of its text is out.
    """

    status: str
    preset: str
    valid_from: str
    valid_until: str
    recorded_at: int | None
    withdrawn_at: int | None
    details: Details | None
    lapse: Lapse | None = None


class Use(NamedTuple):
    """The days on which a data set would be used: the first and the last, "YYYY-MM-DD"."""

    since: str
    until: str


def decide(view: ConsentView, purpose: Purpose, when: int, occasion: Occasion = NO_STUDY) -> Decision:
    """Whether this grant, standing alone, allows `purpose` on `occasion` at `when` (epoch seconds of contract time).

    Never raises.
    """
    (answer,) = read_all([view], purpose, when, occasion)
    return _spoken(view, answer, when)


def decide_all(
    views: Iterable[ConsentView], purpose: Purpose, when: int, occasion: Occasion = NO_STUDY
) -> list[Decision]:
    """What `decide` answers for each of `views`, in order; equal choices are judged once."""
    every = list(views)
    answers = read_all(every, purpose, when, occasion)
    return [_spoken(view, answer, when) for view, answer in zip(every, answers, strict=True)]


def read_all(
    views: Iterable[ConsentView], purpose: Purpose, when: int, occasion: Occasion = NO_STUDY
) -> list[Decision]:
    """What each of `views` says, whoever may say it: `consent.voices` weighs that over all of a patient's documents."""
    return list(_read(views, _Now(purpose, when, occasion)))


def decide_dataset(written: DatasetTerms, purpose: Purpose, use: Use) -> Decision:
    """Whether a data set under its own terms may serve `purpose` on the days of `use`.

    Strict: exactly one permission must stand, else abstain. Never raises: an unknown code denies.
    """
    try:
        meant = terms.of_dataset(written)
    except ConsentError:
        return Decision("deny", "terms.unknown")
    if len(meant.permissions) != 1:
        return Decision("abstain", "terms.no-single-permission")
    return judge_terms(meant, purpose, Moment(use.until, outlasts(meant, use)))


def judge_terms(rule: Terms, purpose: Purpose, moment: Moment) -> Decision:
    """The most open answer of the permissions, then the most closed of that and the conditions, with all obligations.

    Clinical care is beyond research: only "clinical care use" or "no restriction" opens it.
    """
    return concluded(all_answers(rule, purpose, moment))


def all_answers(rule: Terms, purpose: Purpose, moment: Moment) -> list[Decision]:
    """The answer of the permissions together, then that of each condition."""
    opened = [_judge_permission(code, rule.diseases, purpose) for code in rule.permissions]
    answers = [max(opened, key=openness, default=Decision("deny", "terms.none"))]
    if purpose.care and duo.CC not in rule.modifiers and duo.NRES not in rule.permissions:
        answers.append(Decision("deny", "permission.no-care"))
    values = dict(rule.values)
    return [*answers, *(conditions.judge(code, values.get(code, ()), purpose, moment) for code in rule.modifiers)]


def concluded(answers: Sequence[Decision]) -> Decision:
    """The most closed of `answers`, the first where several are; the obligations of all."""
    closed = min(answers, key=openness)
    obligations = tuple(one for answer in answers for one in answer.obligations)
    return Decision(closed.verdict, closed.rule, obligations) if obligations else closed


def _judge_permission(code: str, allowed: Sequence[str], purpose: Purpose) -> Decision:
    if code == duo.NRES:
        return Decision("permit", "permission.no-restriction")
    if purpose.duo == duo.POA or purpose.ancestry:
        return _judge_ancestry(code, purpose)
    if code not in {general.code for general in duo.generalisations(purpose.duo)}:
        return Decision("deny", "permission.wider")
    if code != duo.DS:
        return Decision("permit", "permission.covers")
    if covered(allowed, purpose.diseases):
        return Decision("permit", "permission.disease")
    return Decision("deny", "permission.other-disease")


def _judge_ancestry(code: str, purpose: Purpose) -> Decision:
    """Ancestry stands apart: HMB excludes it by its definition; under GRU ("any research purpose") a person decides."""
    if code == duo.POA and purpose.duo == duo.POA:
        return Decision("permit", "permission.covers")
    return Decision("abstain", "permission.ancestry") if code == duo.GRU else Decision("deny", "permission.no-ancestry")


def outlasts(rule: Terms, use: Use) -> bool | None:
    """Whether `use` goes on longer than the terms' limit of months, if they have one; None where nobody knows."""
    months = dict(rule.values).get(duo.TS)
    if not months or not (periods.is_day(use.since) and periods.is_day(use.until)):
        return None
    return use.until > periods.shift_day(use.since, int(months[0]))


def _spoken(view: ConsentView, answer: Decision, when: int) -> Decision:
    """`answer`, unless it is a yes that the document's signer may not give alone."""
    details = view.details
    if details is None or (details.mandate is None and details.age is None) or answer.verdict == "deny":
        return answer
    broken = mandate.silenced(details.age, details.mandate, view.preset, view.recorded_at, when)
    return answer if broken is None else Decision("deny", broken)


class _Calendar(dict[str, int | None]):
    """How a date stands to `now`, written alike: -1 before, 0 the same, 1 after, None where it is no such date."""

    def __init__(self, now: str, is_date: Callable[[str], bool]) -> None:
        super().__init__()
        self._now, self._is_date = now, is_date

    def __missing__(self, date: str) -> int | None:
        self[date] = relation = (date > self._now) - (date < self._now) if self._is_date(date) else None
        return relation


class _TimeLimits(dict[tuple[str, str], bool | None]):
    """Whether a grant that starts on a day has gone on for longer than a number of months."""

    def __init__(self, today: str) -> None:
        super().__init__()
        self._today = today

    def __missing__(self, key: tuple[str, str]) -> bool | None:
        starts, months = key
        self[key] = over = periods.is_day(starts) and self._today > periods.shift_day(starts, int(months))
        return over


class _Months(dict[Limits, str | None]):
    """The number of months that limits set, if any."""

    def __missing__(self, limits: Limits) -> str | None:
        self[limits] = months = next(iter(dict(terms.values_of(limits.conditions)).get(duo.TS, ())), None)
        return months


class _Lapses(dict[Lapse, bool]):
    """Whether a consent under an older text has ended for the study that asks."""

    def __init__(self, when: int, occasion: Occasion) -> None:
        super().__init__()
        self._when, self._agreed = when, occasion.agreed

    def __missing__(self, lapse: Lapse) -> bool:
        self[lapse] = ended = lapse.ends(self._when, self._agreed)
        return ended


class _Now:
    """The question of a decision, and its moment, with what is known of the dates and choices met so far."""

    def __init__(self, purpose: Purpose, when: int, occasion: Occasion) -> None:
        self.when, today = when, periods.day_of(when)
        self.lapses = _Lapses(when, occasion)
        self.months = _Calendar(periods.month_of(when), periods.is_month)
        self.days = _Calendar(today, periods.is_day)
        self.limited_to = _Months()
        self.time_limits = _TimeLimits(today)
        self.terms = _Terms(purpose, occasion, today)


class _Terms(dict[tuple[str, tuple[str, ...], Limits, bool | None], Decision]):
    """Decisions by what was chosen (preset, diseases, limits) and whether the limit of months is over: far fewer."""

    def __init__(self, purpose: Purpose, occasion: Occasion, today: str) -> None:
        super().__init__()
        self._purpose, self._limited = purpose, _Limited(purpose, occasion, today)

    def __missing__(self, chosen: tuple[str, tuple[str, ...], Limits, bool | None]) -> Decision:
        preset, finer, limits, over = chosen
        broken = _choice(preset, finer, self._purpose)
        self[chosen] = decision = _denied(broken) if broken else self._limited[preset, limits, over]
        return decision


class _Limited(dict[tuple[str, Limits, bool | None], Decision]):
    """Decisions by preset and limits, whatever diseases narrow them; likewise whether the limit of months is over."""

    def __init__(self, purpose: Purpose, occasion: Occasion, today: str) -> None:
        super().__init__()
        self._purpose, self._occasion, self._today = purpose, occasion, today

    def __missing__(self, chosen: tuple[str, Limits, bool | None]) -> Decision:
        preset, limits, over = chosen
        if broken := limits.broken(self._occasion):
            decision = _denied(broken)
        elif limits.denies(self._purpose, self._occasion, self._today):
            decision = _denied("consent.denied")
        else:
            meant = terms.narrowed(presets.PRESETS[preset], limits.conditions)
            decision = judge_terms(meant, self._purpose, Moment(self._today, over))
        self[chosen] = decision
        return decision


def _read(views: Iterable[ConsentView], now: _Now) -> Iterator[Decision]:
    """What each document says. (One loop, in which what many share is looked up: it runs often.)"""
    when, months, days, limited_to, lapses = now.when, now.months, now.days, now.limited_to, now.lapses
    for view in views:
        details, recorded = view.details, view.recorded_at
        if view.withdrawn_at is not None or view.status != "active":
            gone = view.withdrawn_at is not None or view.status in GONE
            yield _denied("consent.withdrawn" if gone else "consent.unknown")
        elif recorded is None or recorded > when:
            yield _denied("consent.not-yet-recorded")
        elif details is None:
            yield _denied("consent.not-opened")
        elif view.lapse is not None and lapses[view.lapse]:
            yield _denied("consent.superseded")
        elif broken := (
            _time(months[view.valid_from], months[view.valid_until]) or _time(days[details.starts], days[details.ends])
        ):
            yield _denied(broken)
        else:
            limits, over = details.limits, None
            if limits is not NO_LIMITS and (most := limited_to[limits]) is not None:
                over = now.time_limits[details.starts, most]
            yield now.terms[view.preset, details.diseases, limits, over]


def _time(first: int | None, last: int | None) -> str | None:
    """The rule that is broken where the first and last date stand to now like this, if any."""
    if first is None or last is None:
        return "consent.unclear-dates"
    if first > 0:
        return "consent.not-yet"
    return "consent.expired" if last < 0 else None


@cache
def _denied(rule: str) -> Decision:
    return Decision("deny", rule)


def _choice(preset: str, finer: tuple[str, ...], purpose: Purpose) -> str | None:
    if preset not in presets.PRESETS:
        return "consent.unknown-choice"
    return "consent.finer-choice" if finer and not covered(finer, purpose.diseases) else None


def covered(allowed: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether diseases are named, and each is one of `allowed` or a kind of it."""
    return bool(wanted) and all(any(diseases.covers(one, each) for one in allowed) for each in wanted)
