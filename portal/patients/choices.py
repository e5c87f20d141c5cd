"""What a patient says more exactly than by a preset; it goes into the signed details, which this hospital alone opens.

The wider choice (companies may make money with what is learned) is a preset of its own, so that limits only narrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consent import duo
from consent.grant import Contact, Details
from consent.limits import NO_LIMITS, Denial, Limits
from consent.occasion import CATEGORIES
from consent.presets import FOR_ALL
from consent.terms import Condition

NON_PROFIT, NOT_FOR_GAIN, ALL = "non-profit", "not-for-gain", "all"
HERE, ANYWHERE = "here", "anywhere"
ANY, LISTED = "any", "listed"


@dataclass(frozen=True, slots=True)
class Choices:
    """The parts of `Details` that a patient chooses beside text, days and purpose. Days are "YYYY-MM-DD" or None."""

    data_from: str | None = None
    data_until: str | None = None
    limits: Limits = NO_LIMITS
    feedback: bool = False
    contact: Contact = "portal"

    @classmethod
    def of(cls, details: Details) -> Choices:
        """Those of a signed consent."""
        return cls(details.data_from, details.data_until, details.limits, details.feedback, details.contact)

    @property
    def named(self) -> list[str]:
        """Every study that is named."""
        return [*(self.limits.studies or ()), *(study for denial in self.limits.denied for study in denial.studies)]

    def within(self, wider: Choices) -> bool:
        """Whether these permit nothing that `wider` does not; what is wished for besides is free."""
        late = wider.data_from is None or (self.data_from is not None and self.data_from >= wider.data_from)
        early = wider.data_until is None or (self.data_until is not None and self.data_until <= wider.data_until)
        return late and early and self.limits.within(wider.limits)


PLAIN = Choices()


def preset(chosen: str, answers: Mapping[str, Any]) -> str:
    """The preset behind the choice of a purpose and of who may use the record."""
    return chosen + FOR_ALL if answers.get("recipients") == ALL else chosen


def answers(preset: str, chosen: Choices) -> dict[str, Any]:
    """The answers that lead to `preset` and `chosen`, for somebody who starts from an earlier consent."""
    terms = {one.term for one in chosen.limits.conditions}
    listed = chosen.limits.studies
    return {
        "preset": preset.removesuffix(FOR_ALL),
        "recipients": ALL if preset.endswith(FOR_ALL) else NON_PROFIT if duo.NPU in terms else NOT_FOR_GAIN,
        "countries": HERE if duo.GS in terms else ANYWHERE,
        "categories": list(chosen.limits.categories or CATEGORIES),
        "studies": ANY if listed is None else LISTED,
        "listed": list(listed or ()),
        "data_from": chosen.data_from,
        "data_until": chosen.data_until,
        "feedback": chosen.feedback,
        "contact": chosen.contact,
    }


def country(limits: Limits) -> str:
    """The one country that `limits` keep the record's use in; "" for any."""
    return next((one.values[0] for one in limits.conditions if one.term == duo.GS), "")


def chosen(answers: Mapping[str, Any], country: str, denied: tuple[Denial, ...] = ()) -> Choices:
    """What the answers of `ExactlyForm` mean for a hospital in `country`; raises ConsentError for what cannot be.

    `denied`: what an earlier consent said no to; the form does not ask for it, and nothing takes it back.
    """
    conditions = []
    if answers.get("recipients") == NON_PROFIT:
        conditions.append(Condition(term=duo.NPU))
    if answers.get("countries") == HERE:
        conditions.append(Condition(term=duo.GS, values=(country,)))
    kinds = tuple(one for one in CATEGORIES if one in answers.get("categories", CATEGORIES))
    studies = tuple(sorted(answers.get("listed", ()))) if answers.get("studies") == LISTED else None
    limits = Limits(
        conditions=tuple(sorted(conditions, key=lambda one: one.term)),
        denied=denied,
        categories=() if kinds == CATEGORIES else kinds,
        studies=studies,
    )
    return Choices(
        answers.get("data_from") or None,
        answers.get("data_until") or None,
        NO_LIMITS if limits == NO_LIMITS else limits,
        bool(answers.get("feedback")),
        answers.get("contact", "portal"),
    )
