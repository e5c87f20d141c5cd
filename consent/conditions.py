"""Whether a purpose keeps one condition of the terms: each is checked as far as a program can.

What is said and breaks the condition denies; what is not said, or needs judgement, abstains: a person decides. Silence
about gain counts as gain. Some conditions cannot be checked before the fact: those oblige, and the obligation must have
been accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from consent import duo, local_terms
from consent.decision import Decision
from consent.purpose import TO_ACCEPT, Asking, Purpose
from consent.terms import KINDS, Condition

NOBODY = Asking()
KEPT = Decision("permit", "modifier.kept")
Values = tuple[str, ...]


class Moment(NamedTuple):
    """When the use would be. `until`: its last day, as an ethics approval must last. `outlasts`: whether it would go on
    longer than the terms' limit of months; None where nobody knows."""

    until: str
    outlasts: bool | None


def judge(code: str, values: Values, purpose: Purpose, moment: Moment) -> Decision:
    """The answer of one condition; an unknown code abstains."""
    if code in KINDS and not values:
        return Decision("abstain", "modifier.needs-person")  # registered without what it means
    if code in TO_ACCEPT:
        return _accepted(code, purpose.asking or NOBODY)
    rule = _RULES.get(code)
    return Decision("abstain", "modifier.needs-person") if rule is None else rule(values, purpose, moment)


def _accepted(code: str, asking: Asking) -> Decision:
    obligations = (Condition(term=code),)
    if code in asking.accepts:
        return Decision("permit", "modifier.accepted", obligations)
    return Decision("abstain", "modifier.not-accepted", obligations)


def _unless(broken: bool, rule: str) -> Decision:
    return Decision("deny", rule) if broken else KEPT


def _profit(_values: Values, purpose: Purpose, _moment: Moment) -> Decision:
    if purpose.for_profit is None:
        return Decision("deny", "modifier.organisation-unsaid")
    return _unless(purpose.for_profit, "modifier.NPU")


def _gain(_values: Values, purpose: Purpose, _moment: Moment) -> Decision:
    if purpose.commercial is None:
        return Decision("deny", "modifier.use-unsaid")
    return _unless(purpose.commercial, "modifier.NCU")


def _profit_or_gain(values: Values, purpose: Purpose, moment: Moment) -> Decision:
    if purpose.commercial or purpose.for_profit:
        return Decision("deny", "modifier.NPUNCU")
    first = _profit(values, purpose, moment)
    return first if first is not KEPT else _gain(values, purpose, moment)


def _among(said: Callable[[Asking], Values], rule: str) -> Callable[[Values, Purpose, Moment], Decision]:
    """All that is said must be on the list."""

    def judged(values: Values, purpose: Purpose, _moment: Moment) -> Decision:
        named = said(purpose.asking or NOBODY)
        if not named:
            return Decision("abstain", f"{rule}-unsaid")
        return _unless(not set(named) <= set(values), rule)

    return judged


def _time(_values: Values, _purpose: Purpose, moment: Moment) -> Decision:
    if moment.outlasts is None:
        return Decision("abstain", "modifier.needs-person")
    return _unless(moment.outlasts, "modifier.TS")


def _embargo(values: Values, purpose: Purpose, _moment: Moment) -> Decision:
    first, obligations = (purpose.asking or NOBODY).publishes_from, (Condition(term=duo.MOR, values=values),)
    if first is None:
        return Decision("abstain", "modifier.MOR-unsaid", obligations)
    if first < values[0]:
        return Decision("deny", "modifier.MOR", obligations)
    return Decision("permit", "modifier.accepted", obligations)


def _ethics(_values: Values, purpose: Purpose, moment: Moment) -> Decision:
    approval = (purpose.asking or NOBODY).ethics
    if approval is None:
        return Decision("abstain", "modifier.IRB-unsaid", (Condition(term=duo.IRB),))
    return _unless(approval.until < moment.until, "modifier.IRB")


_RULES: dict[str, Callable[[Values, Purpose, Moment], Decision]] = {
    duo.NPU: _profit,
    duo.NCU: _gain,
    duo.NPUNCU: _profit_or_gain,
    duo.NMDS: lambda _values, purpose, _moment: _unless(purpose.methods, "modifier.NMDS"),
    duo.GSO: lambda _values, purpose, _moment: _unless(not purpose.genetic, "modifier.GSO"),
    duo.NPOA: lambda _values, purpose, _moment: _unless(purpose.ancestry or purpose.duo == duo.POA, "modifier.NPOA"),
    duo.GS: _among(lambda asking: asking.countries, "modifier.GS"),
    duo.IS: _among(lambda asking: (asking.institution,) if asking.institution else (), "modifier.IS"),
    duo.US: _among(lambda asking: asking.users, "modifier.US"),
    duo.PS: _among(lambda asking: (asking.project,) if asking.project else (), "modifier.PS"),
    duo.TS: _time,
    duo.MOR: _embargo,
    duo.IRB: _ethics,
    duo.CC: lambda _values, _purpose, _moment: KEPT,  # it opens clinical care, and takes nothing from research
    local_terms.NAI: lambda _values, purpose, _moment: _unless(purpose.ai_training, "modifier.NAI"),
}
