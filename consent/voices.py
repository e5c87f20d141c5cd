"""What all of a patient's documents allow together, where several people may speak for one patient.

Whoever has spoken and may still speak is a voice: the patient, guardians of a child, representatives of somebody who
cannot decide. A voice allows what any of its documents allows; used is only what every voice allows, minus all that any
of them denies. So a yes may come from one guardian alone, and a no, or a yes taken back, from anybody wins.

- A child's own yes never suffices. From the age of assent on it is needed, besides a guardian's.
- On the day of majority guardians' documents lapse, their noes too, and what the child said counts no more as a yes:
  the patient is asked again. A no of the patient's own stays until the patient takes it back.
- What a patient signed while somebody represented them is no yes. What they allowed before bounds the representative.
- A document whose mandate did not hold when it was recorded, or does not now, says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal, NamedTuple

from consent import periods
from consent.clocks import NOTHING, Usable, usable
from consent.decide import GONE, ConsentView
from consent.decision import Decision
from consent.mandate import Age, Mandate
from consent.occasion import NO_STUDY, Occasion
from consent.purpose import Purpose

OBJECTION = Decision("deny", "voices.none")  # a document that is looked at for what it denies alone
NOT_NOW = frozenset(  # what is over, or has not begun, says nothing: neither yes nor no
    f"consent.{why}" for why in ("not-yet", "expired", "unclear-dates", "unknown", "not-yet-recorded", "superseded")
)
PATIENT = ""  # the speaker who needs no mandate


class Spoken(NamedTuple):
    """One document. `answer`: what it says by itself (`decide.read_all`). `speaker`: PATIENT, or who signed for them.

    `counts`: whether its yes may count at all. `taken_back`: by its own speaker. `ended`: when its mandate was ended
    before its time (epoch seconds), as the hospital knows.
    """

    view: ConsentView
    answer: Decision
    speaker: str = PATIENT
    counts: bool = True
    taken_back: bool = False
    ended: int | None = None

    @property
    def stands(self) -> bool:
        return not self.taken_back and self.view.withdrawn_at is None and self.view.status not in GONE

    @property
    def mandate(self) -> Mandate | None:
        return None if self.view.details is None else self.view.details.mandate


@dataclass(frozen=True, slots=True)
class Together:
    """The answer over all documents: why, which records it leaves, and the positions of those that let them in."""

    decision: Decision
    left: Usable
    yes: tuple[int, ...]


@dataclass(slots=True)
class _Voice:
    """One speaker. `yes`: positions that permit now. `refuses`: took a yes back, or said one that is not for this."""

    yes: list[int] = field(default_factory=list)
    refuses: bool = False


Part = Literal["alone", "assent", "lapsed"]


def together(
    documents: Sequence[Spoken],
    purpose: Purpose,
    when: int,
    known: Age | None = None,
    occasion: Occasion = NO_STUDY,
) -> Together:
    """What `documents`, all that there are about one patient, allow for `purpose` on `occasion` at `when` (seconds).

    `known`: the patient's age as the hospital has it today, besides what the documents say. Never raises.
    """
    life = _Life.of(documents, when, known)
    parts = [life.part(one) for one in documents]
    voices, alone, objections = _heard(documents, parts)
    left = NOTHING
    if (rule := _missing(documents, parts, voices, alone, life)) is None:
        rule, left = (
            "voices.agree",
            _met(documents, voices, lambda said: usable([*said, *objections], purpose, when, occasion)),
        )
        if not (left.spans or left.undated):
            rule = "consent.denied" if left.denied else "voices.disagree"
    return Together(Decision("permit" if rule == "voices.agree" else "deny", rule), left, tuple(alone))


@dataclass(frozen=True, slots=True)
class _Life:
    """What `when` is in the patient's life, by the strictest of all that is known. `incapable`: while represented."""

    when: int
    assents_from: int | None
    child_until: int | None
    adult_from: int | None
    incapable: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, documents: Sequence[Spoken], when: int, known: Age | None) -> _Life:
        ages = [one.view.details.age for one in documents if one.view.details is not None]
        found = [age for age in (*ages, known) if age is not None]
        of_age = [periods.instant(age.of_age_from) for age in found]
        return cls(
            when,
            min((periods.instant(age.assents_from) for age in found), default=None),
            min(of_age, default=None),
            max(of_age, default=None),
            tuple(_represented(documents)),
        )

    @property
    def is_child(self) -> bool:
        return self.child_until is not None and self.when < self.child_until

    @property
    def is_asked(self) -> bool:
        return self.is_child and self.assents_from is not None and self.when >= self.assents_from

    def part(self, one: Spoken) -> Part:
        """Whether its yes suffices, counts beside another's, or is over."""
        given, mandate = one.view.recorded_at, one.mandate
        given = self.when if given is None else given
        if mandate is None:
            if self.adult_from is not None and given < self.adult_from:
                return "assent" if self.is_child else "lapsed"
            return "lapsed" if any(start <= given < end for start, end in self.incapable) else "alone"
        held = mandate.holds(given) and mandate.holds(self.when) and (one.ended is None or self.when < one.ended)
        return "alone" if held and (mandate.office != "guardian" or self.is_child) else "lapsed"


def _represented(documents: Sequence[Spoken]) -> Iterator[tuple[int, int]]:
    for one in documents:
        if (mandate := one.mandate) is not None and mandate.office == "representative":
            end = periods.instant(mandate.ends)
            yield periods.instant(mandate.starts), end if one.ended is None else min(end, one.ended)


def _heard(
    documents: Sequence[Spoken], parts: Sequence[Part]
) -> tuple[dict[str, _Voice], list[int], list[tuple[ConsentView, Decision]]]:
    """The voices, the positions that suffice as a yes, and every document that may deny."""
    voices, alone, objections = dict[str, _Voice](), list[int](), list[tuple[ConsentView, Decision]]()
    for position, (one, part) in enumerate(zip(documents, parts, strict=True)):
        own = one.speaker == PATIENT
        if part == "lapsed" and not own and one.view.details is not None:
            continue
        voice = voices.setdefault(one.speaker, _Voice())
        if not one.stands:
            voice.refuses |= one.taken_back
            continue
        objections.append((one.view, OBJECTION))
        if part == "lapsed" or not one.counts:
            continue
        if one.answer.permits and (one.mandate is None or one.mandate.allows(one.view.preset)):
            voice.yes.append(position)
            alone += [position] if part == "alone" else []
        else:
            voice.refuses |= one.answer.rule not in NOT_NOW
    return voices, alone, objections


def _missing(
    documents: Sequence[Spoken],
    parts: Sequence[Part],
    voices: dict[str, _Voice],
    alone: Sequence[int],
    life: _Life,
) -> str | None:
    """The rule by which there is no yes yet, or None."""
    own = voices.get(PATIENT, _Voice())
    if not alone:
        return _why_none(documents, parts, own, life)
    if life.is_asked and not own.yes:
        return "voices.disagree" if own.refuses else "age.not-asked"
    return "voices.disagree" if any(voice.refuses and not voice.yes for voice in voices.values()) else None


def _why_none(documents: Sequence[Spoken], parts: Sequence[Part], own: _Voice, life: _Life) -> str:
    if own.yes:
        return "age.child-alone"
    over = [one for one, part in zip(documents, parts, strict=True) if part == "lapsed" and one.stands]
    if over and not life.is_child and life.child_until is not None:
        return "age.ask-again"
    if over:
        return "mandate.own-word" if all(one.mandate is None for one in over) else "mandate.not-held"
    if len(documents) == 1:
        return documents[0].answer.rule if not documents[0].answer.permits else "voices.none"
    return "voices.disagree" if len({one.speaker for one in documents}) > 1 else "voices.none"


def _met(
    documents: Sequence[Spoken],
    voices: dict[str, _Voice],
    left_by: Callable[[Sequence[tuple[ConsentView, Decision]]], Usable],
) -> Usable:
    """What all voices leave that say yes; there is one at least."""
    said = ([(documents[at].view, documents[at].answer) for at in voice.yes] for voice in voices.values() if voice.yes)
    return reduce(Usable.meet, map(left_by, said))
