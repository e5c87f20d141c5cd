"""An answer of the rules: permit, deny or abstain (a person decides), the rule that gave it, and what it obliges to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from consent.reasons import REASONS
from consent.terms import Condition

Verdict = Literal["permit", "deny", "abstain"]

RULES: Final = "covenant.rules.2"  # the version of the rules: a new one whenever any answer changes
_OPENNESS: dict[Verdict, int] = {"deny": 0, "abstain": 1, "permit": 2}


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer: `verdict`, and `rule`, the stable id of the rule that gave it.

    `obligations`: the conditions that whoever uses the data takes on, whether or not they are accepted already.
    """

    verdict: Verdict
    rule: str
    obligations: tuple[Condition, ...] = ()

    @property
    def reason(self) -> str:
        """Why, in words for the patient."""
        return REASONS[self.rule]

    @property
    def permits(self) -> bool:
        return self.verdict == "permit"


def openness(decision: Decision) -> int:
    """The order of verdicts: deny, abstain, permit."""
    return _OPENNESS[decision.verdict]
