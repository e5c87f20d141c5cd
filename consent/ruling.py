"""A decision about a data set as it is stored: with every rule that spoke, and a digest of all that it rests on.

A ruling stands as long as its inputs are the same: ask `stands`, and rule again where it does not.
"""

from __future__ import annotations

from typing import Literal

from consent import canonical, terms
from consent.compatibility import decide_compatibly
from consent.conditions import Moment
from consent.decide import Use, all_answers, decide_dataset, outlasts
from consent.decision import RULES, Verdict
from consent.encoding import Hex32
from consent.errors import ConsentError
from consent.purpose import Purpose
from consent.reasons import REASONS
from consent.terms import Condition, DatasetTerms

Matching = Literal["strict", "compatible"]


class Ruling(canonical.Document, frozen=True, kw_only=True):
    """`rule` decided; `spoke`: the rules of all parts of the terms, in their order. `inputs`: digest of terms, purpose,
    days, matching and `rules`, the version of the rules.
    """

    verdict: Verdict
    rule: str
    spoke: tuple[str, ...]
    obligations: tuple[Condition, ...]
    matching: Matching
    rules: str
    inputs: Hex32

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in plain words: the deciding rule's first, each once."""
        return tuple(dict.fromkeys(REASONS[rule] for rule in (self.rule, *self.spoke)))

    def stands(self, written: DatasetTerms, purpose: Purpose, use: Use) -> bool:
        """Whether nothing that this ruling rests on has changed."""
        return self.inputs == inputs_digest(written, purpose, use, self.matching)


class _Inputs(canonical.Document, frozen=True, kw_only=True):
    terms: DatasetTerms
    purpose: Purpose
    since: str
    until: str
    matching: Matching
    rules: str


def rule_on(written: DatasetTerms, purpose: Purpose, use: Use, matching: Matching) -> Ruling:
    """The ruling on a data set under its own terms for `purpose` on the days of `use`."""
    if matching == "compatible":
        decision = decide_compatibly(written, purpose)
        spoke: tuple[str, ...] = (decision.rule,)
    else:
        decision = decide_dataset(written, purpose, use)
        spoke = _spoke(written, purpose, use) or (decision.rule,)
    return Ruling(
        verdict=decision.verdict,
        rule=decision.rule,
        spoke=spoke,
        obligations=decision.obligations,
        matching=matching,
        rules=RULES,
        inputs=inputs_digest(written, purpose, use, matching),
    )


def inputs_digest(written: DatasetTerms, purpose: Purpose, use: Use, matching: Matching) -> str:
    """64 hex characters over all that a ruling rests on (tag `covenant.ruling-inputs.v1`)."""
    inputs = _Inputs(terms=written, purpose=purpose, since=use.since, until=use.until, matching=matching, rules=RULES)
    return canonical.digest("covenant.ruling-inputs.v1", canonical.encode(inputs)).hex()


def _spoke(written: DatasetTerms, purpose: Purpose, use: Use) -> tuple[str, ...]:
    try:
        meant = terms.of_dataset(written)
    except ConsentError:
        return ()
    return tuple(one.rule for one in all_answers(meant, purpose, Moment(use.until, outlasts(meant, use))))
