"""Who may speak for whom, against an oracle that lives through the patient's days in its own arithmetic."""

from __future__ import annotations

from calendar import isleap
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from consent import duo
from consent.clocks import usable
from consent.decide import ConsentView, decide, read_all
from consent.limits import Denial, Limits
from consent.mandate import Age, Mandate, reaches
from consent.purpose import Purpose
from consent.voices import PATIENT, Spoken, together
from tests.property.contracts.soak import examples
from tests.unit.consent.examples import HEART, Patient, study

MANY = settings(max_examples=examples(40, 5_000), print_blob=True)
START, DAYS = date(2025, 11, 1), 420  # across 28 February and 1 March 2026, where 29 February is missing
STUDY = study(duo.DS, [HEART])
WIDE = study(duo.HMB)
EVIDENCE = "ab" * 32
LAST = START + timedelta(days=DAYS)
EARLY = 1_762_300_000  # 4 November 2025: before most of what may happen

offsets = st.integers(0, DAYS - 1)
days = offsets.map(lambda offset: START + timedelta(days=offset))


class Child(NamedTuple):
    """A life, told plainly: `hours` is how far the hospital's midnight lies from UTC's."""

    born: date
    assent: int
    majority: int
    leap_day: Any
    hours: int

    def has_had_birthday(self, years: int, when: int) -> bool:
        """Whether, on the local day of `when`, the birthday number `years` has come: counted one day after another."""
        local = datetime.fromtimestamp(when, timezone(timedelta(hours=self.hours))).date()
        count, day = 0, self.born
        while day < local and count < years:
            day += timedelta(days=1)
            count += self.is_birthday(day)
        return count >= years

    def is_birthday(self, day: date) -> bool:
        if (self.born.month, self.born.day) != (2, 29) or isleap(day.year):
            return (day.month, day.day) == (self.born.month, self.born.day)
        return f"{day:%m-%d}" == self.leap_day

    @property
    def age(self) -> Age:
        return Age(
            assents_from=self.midnight(self.assent),
            of_age_from=self.midnight(self.majority),
            policy="ours",
            evidence=EVIDENCE,
        )

    def midnight(self, years: int) -> str:
        day = date.fromisoformat(reaches(self.born.isoformat(), years, self.leap_day))
        return datetime(day.year, day.month, day.day, tzinfo=timezone(timedelta(hours=self.hours))).isoformat()


@st.composite
def children(draw: st.DrawFn) -> Child:
    near = draw(days | st.sampled_from([date(2026, 2, 28), date(2026, 3, 1)]))
    majority = draw(st.sampled_from([1, 2, 6]))  # small numbers: the oracle walks every day
    born = date(2020, 2, 29) if draw(st.booleans()) else near.replace(year=near.year - majority, day=min(near.day, 28))
    return Child(
        born,
        draw(st.integers(1, majority)),
        6 if born == date(2020, 2, 29) else majority,
        draw(st.sampled_from(["02-28", "03-01"])),
        draw(st.integers(-12, 14)),
    )


def instant(day: date, hours: int = 0) -> str:
    return datetime(day.year, day.month, day.day, tzinfo=timezone(timedelta(hours=hours))).isoformat()


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


moments = st.builds(
    lambda day, second: int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) + second,
    days | st.sampled_from([date(2026, 2, 28), date(2026, 3, 1)]),
    st.integers(0, 86_399) | st.integers(0, 23).map(lambda hour: hour * 3600),
)


@st.composite
def spoken(draw: st.DrawFn, child: Child | None, speaker: str) -> Spoken:
    """One document of `speaker`: the patient, a guardian ("g...") or a representative ("r...")."""
    mandate = None
    if speaker != PATIENT:
        office: Any = "guardian" if speaker.startswith("g") else "representative"
        first, last = sorted((draw(st.just(START) | st.just(START) | days), draw(st.just(LAST) | st.just(LAST) | days)))
        presets = draw(st.sampled_from([(), (), ("heart-disease",)]))
        mandate = Mandate(
            office=office,
            starts=instant(first),
            ends=instant(last + timedelta(days=1), draw(st.integers(-12, 14))),
            presets=presets,
            evidence=EVIDENCE,
        )
    starts, ends = draw(st.sampled_from([(START, LAST)] * 3 + [(START, date(2026, 3, 10)), (date(2026, 2, 20), LAST)]))
    low = draw(st.none() | days)
    denial = draw(st.sampled_from([()] * 6 + [(Denial(),), (Denial(data_until="2026-01-15"),)]))
    preset = draw(st.sampled_from(["heart-disease", "heart-disease", "health-research", "cancer"]))
    view = ConsentView(
        status=draw(st.sampled_from(["active"] * 8 + ["withdrawn", "unknown"])),
        preset=preset,
        valid_from=f"{starts:%Y-%m}",
        valid_until=f"{ends:%Y-%m}",
        recorded_at=draw(st.just(EARLY) | st.just(EARLY) | moments),
        withdrawn_at=None,
        details=Patient().details(
            starts=starts.isoformat(),
            ends=ends.isoformat(),
            data_from=None if low is None else low.isoformat(),
            limits=Limits(denied=denial),
            age=child.age if child is not None and draw(st.integers(0, 3)) else None,
            mandate=mandate,
        ),
    )
    ended = None if mandate is None else draw(st.none() | st.none() | st.none() | moments)
    taken_back = draw(st.integers(0, 8)) == 0
    return Spoken(view, decide(view, STUDY, 0), speaker, draw(st.integers(0, 7)) > 0, taken_back, ended)


@st.composite
def lives(draw: st.DrawFn) -> tuple[Child | None, list[Spoken]]:
    child = draw(st.none() | children())
    names = draw(st.lists(st.sampled_from([PATIENT, PATIENT, PATIENT, "g1", "g1", "g2", "r1"]), max_size=5))
    return child, [draw(spoken(child, name)) for name in names]


def answered(documents: list[Spoken], purpose: Purpose, when: int) -> list[Spoken]:
    answers = read_all([one.view for one in documents], purpose, when)
    return [one._replace(answer=answer) for one, answer in zip(documents, answers, strict=True)]


def oracle(child: Child | None, documents: list[Spoken], when: int) -> set[date]:
    """The days whose records may be used: each speaker asked about each day."""
    knows_age = child is not None

    def minor(at: int) -> bool:
        return child is not None and not child.has_had_birthday(child.majority, at)

    def heard(one: Spoken) -> bool:
        """Whether this document's yes could count, were it alone in the world."""
        given, mandate = one.view.recorded_at, one.view.details.mandate  # type: ignore[union-attr]
        assert given is not None
        if one.speaker == PATIENT:
            if minor(given):
                return minor(when)
            return not any(represented(other, given) for other in documents)
        held = all(seconds(mandate.starts) <= at < seconds(mandate.ends) for at in (given, when))
        held = held and (one.ended is None or when < one.ended)
        return held and (not one.speaker.startswith("g") or (knows_age and minor(when)))

    def represented(other: Spoken, at: int) -> bool:
        mandate = other.view.details.mandate  # type: ignore[union-attr]
        if mandate is None or mandate.office != "representative":
            return False
        return seconds(mandate.starts) <= at < seconds(mandate.ends) and (other.ended is None or at < other.ended)

    def standing(one: Spoken) -> bool:
        return one.view.status != "withdrawn" and not one.taken_back

    def says_yes(one: Spoken) -> bool:
        mandate = one.view.details.mandate  # type: ignore[union-attr]
        scope = mandate is None or not mandate.presets or one.view.preset in mandate.presets
        return standing(one) and one.counts and heard(one) and one.answer.permits and scope

    def says_no(one: Spoken) -> bool:
        """Took a yes back, or has one that stands in time and is not for this."""
        if one.taken_back:
            return one.speaker == PATIENT or heard(one)
        if not (standing(one) and one.counts and heard(one)) or says_yes(one):
            return False
        view, today = one.view, datetime.fromtimestamp(when, UTC).date().isoformat()
        begun = view.status == "active" and view.recorded_at is not None and view.recorded_at <= when
        return begun and view.details.starts <= today <= view.details.ends  # type: ignore[union-attr]

    def covers(one: Spoken, day: date) -> bool:
        return says_yes(one) and (one.view.details.data_from or "") <= day.isoformat()  # type: ignore[union-attr]

    def denies(one: Spoken, day: date) -> bool:
        if not standing(one) or not (one.speaker == PATIENT or heard(one)):
            return False
        denied = one.view.details.limits.denied  # type: ignore[union-attr]
        return any(each.data_until is None or day.isoformat() <= each.data_until for each in denied)

    enough = [one for one in documents if says_yes(one) and not (one.speaker == PATIENT and minor(when))]
    asked = child is not None and minor(when) and child.has_had_birthday(child.assent, when)
    if not enough or (asked and not any(says_yes(one) for one in documents if one.speaker == PATIENT)):
        return set()
    heard_from = {one.speaker for one in documents if says_yes(one) or says_no(one)}
    today = datetime.fromtimestamp(when, UTC).date()
    return {
        day
        for day in (START + timedelta(days=offset) for offset in range(DAYS))
        if day <= today
        and all(any(covers(one, day) for one in documents if one.speaker == name) for name in heard_from)
        and not any(denies(one, day) for one in documents)
    }


@MANY
@given(lives(), moments)
def test_what_is_used_is_what_everybody_who_may_speak_allows(
    life: tuple[Child | None, list[Spoken]], when: int
) -> None:
    child, documents = life
    documents = answered(documents, STUDY, when)
    found = together(documents, STUDY, when, None if child is None else child.age)
    left = {day for n in range(DAYS) if found.left.decide((day := START + timedelta(days=n)).isoformat()).permits}
    assert left == oracle(child, documents, when)
    assert not left or found.decision.permits
    assert found.decision.reason


@MANY
@given(lives(), moments, st.sampled_from([STUDY, WIDE]))
def test_a_yes_alone_is_what_one_document_decides(
    life: tuple[Child | None, list[Spoken]], when: int, purpose: Purpose
) -> None:
    for one in answered(life[1], purpose, when):
        found = together([one._replace(counts=True, taken_back=False, ended=None)], purpose, when)
        answer = decide(one.view, purpose, when)
        assert bool(found.yes) or not answer.permits
        assert answer.permits or not found.decision.permits


@MANY
@given(lives(), st.data(), moments)
def test_one_more_who_may_speak_never_adds_to_what_the_others_allow(
    life: tuple[Child | None, list[Spoken]], data: st.DataObject, when: int
) -> None:
    """Somebody new may be the first to say yes; once there is a yes, a new voice only narrows it."""
    child, documents = life
    known = None if child is None else child.age
    before = together(answered(documents, STUDY, when), STUDY, when, known)
    other = data.draw(spoken(child, "g3"))
    after = together(answered([*documents, other], STUDY, when), STUDY, when, known)
    if before.decision.permits:
        calendar = [(START + timedelta(days=n)).isoformat() for n in range(DAYS)]
        assert not [day for day in calendar if after.left.decide(day).permits and not before.left.decide(day).permits]


@MANY
@given(children(), st.data(), moments)
def test_no_child_decides_alone_and_no_guardian_for_a_grown_up(child: Child, data: st.DataObject, when: int) -> None:
    own = [data.draw(spoken(child, PATIENT)) for _ in range(2)]
    theirs = [data.draw(spoken(child, name)) for name in ("g1", "g2")]
    grown = child.has_had_birthday(child.majority, when)
    alone = together(answered(theirs if grown else own, STUDY, when), STUDY, when, child.age)
    assert not alone.decision.permits and not alone.yes


@MANY
@given(st.lists(spoken(None, PATIENT), max_size=4), st.sampled_from([STUDY, WIDE]), moments)
def test_who_speaks_alone_is_read_as_ever(documents: list[Spoken], purpose: Purpose, when: int) -> None:
    heard = answered([one._replace(counts=True, taken_back=False) for one in documents], purpose, when)
    found = together(heard, purpose, when)
    plain = usable([(one.view, one.answer) for one in heard], purpose, when)
    assert found.left.spans == plain.spans and found.left.undated == plain.undated


@MANY
@given(children(), moments)
def test_an_age_is_reached_at_the_hospitals_midnight(child: Child, when: int) -> None:
    for years in (child.assent, child.majority):
        assert (seconds(child.midnight(years)) <= when) == child.has_had_birthday(years, when)
