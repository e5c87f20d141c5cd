"""The laws of deciding: unknown never permits, narrower keeps, more conditions never widen, ended never permits."""

from __future__ import annotations

import os
from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from consent import diseases, duo, periods, presets
from consent.compatibility import decide_compatibly
from consent.conditions import Moment
from consent.decide import ConsentView, Use, decide, decide_all, decide_dataset, judge_terms
from consent.decision import openness
from consent.limits import Denial, Limits
from consent.occasion import CATEGORIES, Category, Occasion
from consent.purpose import TO_ACCEPT, Asking, Ethics, Purpose
from consent.reasons import REASONS
from consent.ruling import rule_on
from consent.terms import KINDS, Condition, DatasetTerms, Terms
from consent.versions import Lapse, StillPermits
from tests.unit.consent.examples import Patient

MANY = settings(max_examples=3_000 if os.environ.get("COVENANT_SOAK") == "1" else 100, print_blob=True)
PATIENT = Patient()
USE = Use("2026-05-28", "2027-05-27")
NAMES = ["ada", "bob", "eve"]
COUNTRIES = ["DE", "FR", "US"]
STUDIES = ["6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11", "7f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11"]


def some(of: list[str], **sizes: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(of), **sizes).map(lambda chosen: tuple(sorted(set(chosen))))


known_diseases = st.lists(st.sampled_from(sorted(diseases.DISEASES)), max_size=3).map(tuple)
instants = st.integers(1_700_000_000, 1_900_000_000)
months = instants.map(periods.month_of)
days = instants.map(periods.day_of)
occasions = st.builds(
    Occasion, st.sampled_from(["", *STUDIES]), st.none() | instants, some(list(CATEGORIES), max_size=3)
)
flags = st.fixed_dictionaries(
    {name: st.none() | st.booleans() for name in ("commercial", "for_profit")}
    | {name: st.booleans() for name in ("methods", "ancestry", "genetic", "care", "ai_training")}
)
askings = st.none() | st.builds(
    Asking,
    institution=st.sampled_from(["", *NAMES]),
    users=some(NAMES),
    project=st.sampled_from(["", *NAMES]),
    countries=some(COUNTRIES),
    ethics=st.none() | st.builds(Ethics, document=st.just("11" * 32), until=days),
    accepts=some(sorted(TO_ACCEPT)),
    publishes_from=st.none() | days,
)
VALUES = {
    duo.RS: st.just(("children only",)),
    duo.GS: some(COUNTRIES, min_size=1),
    duo.TS: st.integers(1, 60).map(lambda months: (str(months),)),
    duo.MOR: days.map(lambda day: (day,)),
}


@st.composite
def conditions(draw: st.DrawFn, code: str | None = None) -> Condition:
    code = code or draw(st.sampled_from(sorted(duo.CONDITIONS)))
    values = draw(VALUES.get(code, some(NAMES, min_size=1))) if code in KINDS else ()
    return Condition(term=code, values=values)


@st.composite
def rules(draw: st.DrawFn) -> Terms:
    """Any terms, also some that no data set could be registered under: a value may be missing."""
    modifiers = draw(st.lists(st.sampled_from(sorted(duo.CONDITIONS)), max_size=3, unique=True))
    return Terms(
        tuple(draw(st.lists(st.sampled_from(sorted(duo.PERMISSIONS)), max_size=2))),
        tuple(modifiers),
        draw(known_diseases),
        tuple((code, draw(conditions(code)).values) for code in modifiers if code in KINDS and draw(st.booleans())),
    )


terms = rules()
moments = st.builds(Moment, days, st.none() | st.booleans())
limits = st.builds(
    Limits,
    conditions=st.lists(conditions(), max_size=2).map(tuple),
    denied=st.lists(st.builds(Denial, diseases=known_diseases), max_size=1).map(tuple),
)


@st.composite
def purposes(draw: st.DrawFn) -> Purpose:
    kind = draw(st.sampled_from([duo.DS, duo.DS, duo.HMB, duo.GRU, duo.POA]))
    wanted = draw(known_diseases.filter(bool)) if kind == duo.DS else ()
    return Purpose.of(kind, wanted, **draw(flags), asking=draw(askings))


@st.composite
def narrowed(draw: st.DrawFn, wide: Purpose) -> Purpose:
    """A purpose that wants no more than `wide` does."""
    kinds = {duo.GRU: [duo.GRU, duo.HMB, duo.DS], duo.HMB: [duo.HMB, duo.DS]}.get(wide.duo, [wide.duo])
    kind = draw(st.sampled_from(kinds))
    below = [code for code in diseases.DISEASES if any(diseases.covers(one, code) for one in wide.diseases)]
    wanted = draw(st.lists(st.sampled_from(sorted(below or diseases.DISEASES)), min_size=1, max_size=3))
    less = {
        name: getattr(wide, name) and draw(st.booleans()) for name in ("methods", "ancestry", "care", "ai_training")
    }
    less |= {  # silence is no less than a yes
        name: getattr(wide, name) if draw(st.booleans()) else False for name in ("commercial", "for_profit")
    }
    return Purpose.of(kind, wanted if kind == duo.DS else (), genetic=wide.genetic, asking=wide.asking, **less)


@st.composite
def views(draw: st.DrawFn) -> ConsentView:
    details = PATIENT.details(starts=draw(days), ends=draw(days), diseases=draw(known_diseases), limits=draw(limits))
    return PATIENT.view(
        status=draw(
            st.sampled_from(["active", "active", "active", "withdrawn", "tombstone", "unknown"]) | st.text(max_size=5)
        ),
        preset=draw(st.sampled_from(sorted(presets.PRESETS)) | st.text(max_size=5)),
        valid_from=draw(months | st.text(max_size=7)),
        valid_until=draw(months | st.text(max_size=7)),
        recorded_at=draw(st.none() | instants),
        withdrawn_at=draw(st.none() | st.none() | instants),
        details=draw(st.none() | st.just(details) | st.just(details)),
    )


@st.composite
def permitted(draw: st.DrawFn) -> tuple[ConsentView, Purpose, int]:
    """A grant, a purpose and a time that go together."""
    when = draw(instants)
    drawn = draw(purposes().filter(lambda one: not one.ancestry and one.duo != duo.POA))
    purpose = msgspec.structs.replace(drawn, commercial=False, care=False)
    finer = purpose.diseases if draw(st.booleans()) else ()
    view = PATIENT.view(
        preset="general-research",
        valid_from=periods.shift_months(periods.month_of(when), -draw(st.integers(0, 30))),
        valid_until=periods.shift_months(periods.month_of(when), draw(st.integers(0, 30))),
        recorded_at=when - draw(st.integers(0, 10**8)),
        details=PATIENT.details(
            starts=periods.day_of(when - draw(st.integers(0, 10**8))),
            ends=periods.day_of(when + draw(st.integers(0, 10**8))),
            diseases=finer,
        ),
    )
    return view, purpose, when


@MANY
@given(permitted())
def test_what_goes_together_is_permitted(case: tuple[ConsentView, Purpose, int]) -> None:
    """Without this the laws below could hold because nothing is ever permitted."""
    assert decide(*case).permits


@MANY
@given(permitted(), st.data())
def test_a_narrower_purpose_keeps_the_permit(case: tuple[ConsentView, Purpose, int], data: st.DataObject) -> None:
    view, wide, when = case
    assert decide(view, data.draw(narrowed(wide)), when).permits


@settings(MANY, suppress_health_check=[HealthCheck.filter_too_much])  # most rules refuse most purposes
@given(terms, purposes(), moments, st.data())
def test_a_narrower_purpose_keeps_what_one_permission_gave(
    rule: Terms, wide: Purpose, moment: Moment, data: st.DataObject
) -> None:
    assume(judge_terms(rule, wide, moment).permits)
    assert judge_terms(rule, data.draw(narrowed(wide)), moment).permits


@MANY
@given(terms, purposes(), moments, st.data())
def test_one_more_condition_never_widens(rule: Terms, purpose: Purpose, moment: Moment, data: st.DataObject) -> None:
    more = data.draw(conditions())
    assume(more.term != duo.CC and more.term not in rule.modifiers)
    before = judge_terms(rule, purpose, moment)
    values = (*rule.values, (more.term, more.values)) if more.values else rule.values
    after = judge_terms(Terms(rule.permissions, (*rule.modifiers, more.term), rule.diseases, values), purpose, moment)
    assert openness(after) <= openness(before)
    assert set(after.obligations) >= set(before.obligations)


@MANY
@given(terms, purposes(), moments)
def test_clinical_care_use_widens_for_care_and_changes_nothing_else(
    rule: Terms, purpose: Purpose, moment: Moment
) -> None:
    with_care = Terms(rule.permissions, tuple({*rule.modifiers, duo.CC}), rule.diseases, rule.values)
    before, after = (openness(judge_terms(one, purpose, moment)) for one in (rule, with_care))
    assert after >= before if purpose.care else after == before


@MANY
@given(
    st.lists(st.sampled_from(sorted({*duo.PERMISSIONS, *duo.CONDITIONS})), max_size=5),
    known_diseases,
    purposes(),
    st.data(),
)
def test_one_more_modifier_never_widens_a_data_set(
    codes: list[str], allowed: tuple[str, ...], purpose: Purpose, data: st.DataObject
) -> None:
    more = data.draw(conditions())
    assume(more.term != duo.CC)
    before = decide_dataset(DatasetTerms(duo=tuple(codes), diseases=allowed), purpose, USE)
    valued = (more,) if more.values else ()
    one_more = DatasetTerms(duo=(*codes, more.term), diseases=allowed, conditions=valued)
    if more.term not in codes:  # a value for a modifier that had none only now says what it means
        assert openness(decide_dataset(one_more, purpose, USE)) <= openness(before)
    again = DatasetTerms(duo=(*reversed(codes), *codes), diseases=allowed)
    assert decide_dataset(again, purpose, USE) == before


@MANY
@given(st.lists(st.sampled_from(sorted(duo.PERMISSIONS)), max_size=3), st.text(max_size=12), purposes())
def test_an_unknown_term_denies_a_data_set(codes: list[str], unknown: str, purpose: Purpose) -> None:
    assume(unknown not in {*duo.PERMISSIONS, *duo.CONDITIONS, "DUO:00000044", "DUO:0000005", "DUO:0000014"})
    written = DatasetTerms(duo=(*codes, unknown), diseases=tuple(sorted(diseases.DISEASES)))
    assert decide_dataset(written, purpose, USE).verdict == "deny"
    assert decide_compatibly(written, purpose).verdict == "deny"


@MANY
@given(st.sampled_from(sorted(duo.PERMISSIONS)), st.sampled_from(sorted(duo.PERMISSIONS)), purposes())
def test_two_permissions_never_permit_a_data_set(one: str, other: str, purpose: Purpose) -> None:
    assume(one != other)
    written = DatasetTerms(duo=(one, other), diseases=tuple(sorted(diseases.DISEASES)))
    assert decide_dataset(written, purpose, USE).verdict == "abstain"


@MANY
@given(permitted(), limits, occasions, st.none() | some(list(CATEGORIES)), st.none() | some(STUDIES))
def test_what_a_patient_adds_never_widens(
    case: tuple[ConsentView, Purpose, int],
    added: Limits,
    occasion: Occasion,
    kinds: tuple[Category, ...] | None,
    studies: tuple[str, ...] | None,
) -> None:
    """Clinical care apart, which a patient may open; these purposes are research."""
    view, purpose, when = case
    added = msgspec.structs.replace(added, categories=kinds or (), studies=studies)
    more = msgspec.structs.replace(view, details=msgspec.structs.replace(view.details, limits=added))
    decision = decide(more, purpose, when, occasion)
    assert openness(decision) <= openness(decide(view, purpose, when, occasion))
    if decision.permits:
        assert studies is None or occasion.study in studies
        assert not kinds or (occasion.categories and set(occasion.categories) <= set(kinds))


@MANY
@given(permitted(), occasions, st.integers(-2, 2), st.sampled_from(["all", "no-new-studies", "nothing"]))
def test_a_newer_text_never_widens_an_old_yes(
    case: tuple[ConsentView, Purpose, int], occasion: Occasion, ago: int, rule: StillPermits
) -> None:
    view, purpose, when = case
    since = when - ago
    decision = decide(msgspec.structs.replace(view, lapse=Lapse(since, rule)), purpose, when, occasion)
    before = decide(view, purpose, when, occasion)
    old_study = occasion.agreed is not None and occasion.agreed < since
    goes_on = since > when or rule == "all" or (rule == "no-new-studies" and old_study)
    assert decision == before if goes_on else not decision.permits


@MANY
@given(terms, purposes())
def test_a_ruling_decides_what_the_rules_decide_and_stands_until_something_changes(
    rule: Terms, purpose: Purpose
) -> None:
    values = tuple(Condition(term=code, values=value) for code, value in rule.values)
    written = DatasetTerms(duo=(*rule.permissions, *rule.modifiers), diseases=rule.diseases, conditions=values)
    ruling = rule_on(written, purpose, USE, "strict")
    decision = decide_dataset(written, purpose, USE)
    assert (ruling.verdict, ruling.rule, ruling.obligations) == (
        decision.verdict,
        decision.rule,
        decision.obligations,
    )
    assert ruling.stands(written, purpose, USE)
    assert not ruling.stands(written, purpose, Use(USE.since, "2027-05-28"))
    assert not ruling.stands(written, msgspec.structs.replace(purpose, methods=not purpose.methods), USE)
    assert not ruling.stands(msgspec.structs.replace(written, duo=(*written.duo, duo.NCU)), purpose, USE)
    compatible = rule_on(written, purpose, USE, "compatible")
    assert compatible.inputs != ruling.inputs
    assert all(reason for one in (ruling, compatible) for reason in one.reasons)


UNKNOWN: dict[str, st.SearchStrategy[Any]] = {
    "status": st.text().filter(lambda status: status != "active"),
    "preset": st.text().filter(lambda preset: preset not in presets.PRESETS),
    "recorded_at": st.none(),
    "details": st.none(),
    "valid_from": st.text().filter(lambda month: len(month) != 7),
    "valid_until": st.text().filter(lambda month: len(month) != 7),
}


@MANY
@given(permitted(), st.sampled_from(sorted(UNKNOWN)), st.data())
def test_what_is_unknown_never_permits(case: tuple[ConsentView, Purpose, int], name: str, data: st.DataObject) -> None:
    view, purpose, when = case
    unknown = msgspec.structs.replace(view, **{name: data.draw(UNKNOWN[name])})
    assert decide(unknown, purpose, when).verdict == "deny"


@MANY
@given(permitted(), st.sampled_from(["withdrawn", "tombstone"]), instants)
def test_what_is_withdrawn_never_permits(case: tuple[ConsentView, Purpose, int], status: str, at: int) -> None:
    view, purpose, when = case
    assert decide(msgspec.structs.replace(view, status=status), purpose, when).rule == "consent.withdrawn"
    assert decide(msgspec.structs.replace(view, withdrawn_at=at), purpose, when).rule == "consent.withdrawn"


@MANY
@given(permitted(), instants)
def test_outside_the_months_the_days_and_the_record_nothing_is_permitted(
    case: tuple[ConsentView, Purpose, int], when: int
) -> None:
    view, purpose, _ = case
    assert view.details is not None
    assert view.recorded_at is not None
    signed = periods.months(view.valid_from, view.valid_until)
    chosen = periods.days(view.details.starts, view.details.ends)
    inside = signed.start <= when < signed.end and chosen.start <= when < chosen.end and view.recorded_at <= when
    assert decide(view, purpose, when).permits == inside


@MANY
@given(permitted(), known_diseases)
def test_a_finer_choice_never_widens(case: tuple[ConsentView, Purpose, int], finer: tuple[str, ...]) -> None:
    view, purpose, when = case
    whole = msgspec.structs.replace(view, details=msgspec.structs.replace(view.details, diseases=()))
    part = msgspec.structs.replace(view, details=msgspec.structs.replace(view.details, diseases=finer))
    assert openness(decide(part, purpose, when)) <= openness(decide(whole, purpose, when))


@MANY
@given(st.lists(views(), max_size=6), purposes(), instants)
def test_deciding_many_is_deciding_each_and_every_rule_has_words(
    grants: list[ConsentView], purpose: Purpose, when: int
) -> None:
    decisions = decide_all(grants, purpose, when)
    assert decisions == [decide(grant, purpose, when) for grant in grants]
    assert all(decision.rule in REASONS and decision.reason for decision in decisions)


@MANY
@given(terms, purposes(), moments)
def test_every_rule_about_terms_has_words(rule: Terms, purpose: Purpose, moment: Moment) -> None:
    assert judge_terms(rule, purpose, moment).rule in REASONS
    written = DatasetTerms(duo=(*rule.permissions, *rule.modifiers), diseases=rule.diseases)
    assert decide_dataset(written, purpose, USE).rule in REASONS
    assert decide_compatibly(written, purpose).rule in REASONS
