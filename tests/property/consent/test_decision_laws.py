"""The laws of deciding: unknown never permits, narrower keeps, more conditions never widen, ended never permits."""

from __future__ import annotations

import os
from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from consent import diseases, duo, periods, presets
from consent.decide import ConsentView, Decision, decide, decide_all, decide_dataset, judge_terms
from consent.purpose import Purpose
from consent.reasons import REASONS
from tests.unit.consent.examples import Patient

MANY = settings(max_examples=3_000 if os.environ.get("COVENANT_SOAK") == "1" else 100, deadline=None, print_blob=True)
OPENNESS = {"deny": 0, "abstain": 1, "permit": 2}
PATIENT = Patient()

known_diseases = st.lists(st.sampled_from(sorted(diseases.DISEASES)), max_size=3).map(tuple)
instants = st.integers(1_700_000_000, 1_900_000_000)
months = instants.map(periods.month_of)
days = instants.map(periods.day_of)
flags = st.fixed_dictionaries(
    {name: st.booleans() for name in ("commercial", "for_profit", "methods", "ancestry", "genetic")}
)
terms = st.builds(
    presets.Terms,
    st.lists(st.sampled_from(sorted(duo.PERMISSIONS)), max_size=2).map(tuple),
    st.lists(st.sampled_from(sorted(duo.MODIFIERS)), max_size=3).map(tuple),
    known_diseases,
)


@st.composite
def purposes(draw: st.DrawFn) -> Purpose:
    kind = draw(st.sampled_from([duo.DS, duo.DS, duo.HMB, duo.GRU, duo.POA]))
    wanted = draw(known_diseases.filter(bool)) if kind == duo.DS else ()
    return Purpose.of(kind, wanted, **draw(flags))


@st.composite
def narrowed(draw: st.DrawFn, wide: Purpose) -> Purpose:
    """A purpose that wants no more than `wide` does."""
    kinds = {duo.GRU: [duo.GRU, duo.HMB, duo.DS], duo.HMB: [duo.HMB, duo.DS]}.get(wide.duo, [wide.duo])
    kind = draw(st.sampled_from(kinds))
    below = [code for code in diseases.DISEASES if any(diseases.covers(one, code) for one in wide.diseases)]
    wanted = draw(st.lists(st.sampled_from(sorted(below or diseases.DISEASES)), min_size=1, max_size=3))
    less = {
        name: getattr(wide, name) and draw(st.booleans())
        for name in ("commercial", "for_profit", "methods", "ancestry")
    }
    return Purpose.of(kind, wanted if kind == duo.DS else (), genetic=wide.genetic, **less)


@st.composite
def views(draw: st.DrawFn) -> ConsentView:
    details = PATIENT.details(starts=draw(days), ends=draw(days), diseases=draw(known_diseases))
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
    purpose = draw(purposes().filter(lambda one: not one.commercial and not one.ancestry and one.duo != duo.POA))
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


def openness(decision: Decision) -> int:
    return OPENNESS[decision.verdict]


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
@given(terms, purposes(), st.data())
def test_a_narrower_purpose_keeps_what_one_permission_gave(
    rule: presets.Terms, wide: Purpose, data: st.DataObject
) -> None:
    assume(judge_terms(rule, wide).permits)
    assert judge_terms(rule, data.draw(narrowed(wide))).permits


@MANY
@given(terms, purposes(), st.sampled_from(sorted(duo.MODIFIERS)))
def test_one_more_modifier_never_widens(rule: presets.Terms, purpose: Purpose, modifier: str) -> None:
    more = presets.Terms(rule.permissions, (*rule.modifiers, modifier), rule.diseases)
    assert openness(judge_terms(more, purpose)) <= openness(judge_terms(rule, purpose))


@MANY
@given(
    st.lists(st.sampled_from(sorted({*duo.PERMISSIONS, *duo.MODIFIERS})), max_size=5),
    known_diseases,
    purposes(),
    st.data(),
)
def test_one_more_modifier_never_widens_a_data_set(
    codes: list[str], allowed: tuple[str, ...], purpose: Purpose, data: st.DataObject
) -> None:
    before = decide_dataset(codes, allowed, purpose)
    modifier = data.draw(st.sampled_from(sorted(duo.MODIFIERS)))
    assert openness(decide_dataset([*codes, modifier], allowed, purpose)) <= openness(before)
    assert decide_dataset([*reversed(codes), *codes], allowed, purpose) == before


@MANY
@given(st.lists(st.sampled_from(sorted(duo.PERMISSIONS)), max_size=3), st.text(max_size=12), purposes())
def test_an_unknown_term_denies_a_data_set(codes: list[str], unknown: str, purpose: Purpose) -> None:
    assume(unknown not in {*duo.PERMISSIONS, *duo.MODIFIERS, "DUO:00000044"})
    assert decide_dataset([*codes, unknown], sorted(diseases.DISEASES), purpose).verdict == "deny"


@MANY
@given(st.sampled_from(sorted(duo.PERMISSIONS)), st.sampled_from(sorted(duo.PERMISSIONS)), purposes())
def test_two_permissions_never_permit_a_data_set(one: str, other: str, purpose: Purpose) -> None:
    assume(one != other)
    assert decide_dataset([one, other], sorted(diseases.DISEASES), purpose).verdict == "abstain"


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
    inside = (
        periods.months(view.valid_from, view.valid_until).contains(when)
        and periods.days(view.details.starts, view.details.ends).contains(when)
        and view.recorded_at <= when
    )
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
@given(terms, purposes())
def test_every_rule_about_terms_has_words(rule: presets.Terms, purpose: Purpose) -> None:
    assert judge_terms(rule, purpose).rule in REASONS
    assert decide_dataset((*rule.permissions, *rule.modifiers), rule.diseases, purpose).rule in REASONS
