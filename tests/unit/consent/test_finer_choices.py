"""Study by study, and by kind of data: what is on the patient's list, and nothing that nobody knows to be on it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent import canonical, duo
from consent.clocks import usable
from consent.decide import decide
from consent.errors import CanonicalRefused, ConsentError
from consent.limits import Denial, Limits
from consent.occasion import CATEGORIES, NO_STUDY, Occasion
from consent.terms import Condition
from tests.unit.consent.examples import CANCER, HEART, IN_2026, Patient, study

PATIENT, STUDY = Patient(), study(duo.DS, [HEART])
ONE, OTHER = "6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11", "7f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11"


def rule(limits: Limits, occasion: Occasion) -> str:
    return decide(PATIENT.view(details=PATIENT.details(limits=limits)), STUDY, IN_2026, occasion).rule


@pytest.mark.parametrize(
    ("limits", "occasion", "answer"),
    [
        (Limits(studies=(ONE,)), Occasion(ONE), "permission.disease"),
        (Limits(studies=(ONE,)), Occasion(OTHER), "consent.other-study"),
        (Limits(studies=(ONE,)), NO_STUDY, "consent.other-study"),
        (Limits(studies=()), Occasion(ONE), "consent.other-study"),
        (Limits(categories=("images",)), Occasion(ONE, categories=("images",)), "permission.disease"),
        (Limits(categories=("images",)), Occasion(ONE, categories=("diagnoses", "images")), "consent.other-data"),
        (Limits(categories=("images",)), Occasion(ONE), "consent.other-data"),
        (Limits(categories=CATEGORIES), Occasion(ONE), "consent.other-data"),  # nobody said what the data set holds
        (Limits(denied=(Denial(studies=(ONE,)),)), Occasion(ONE), "consent.denied"),
        (Limits(denied=(Denial(studies=(ONE,)),)), Occasion(OTHER), "permission.disease"),
        (Limits(denied=(Denial(studies=(ONE,)),)), NO_STUDY, "consent.denied"),
        (Limits(denied=(Denial(studies=(ONE,), diseases=(HEART,)),)), Occasion(OTHER), "consent.denied"),
        (Limits(denied=(Denial(studies=(ONE,), diseases=(CANCER,)),)), Occasion(OTHER), "permission.disease"),
        (Limits(denied=(Denial(studies=(ONE,), diseases=(CANCER,)),)), Occasion(ONE), "consent.denied"),
    ],
)
def test_a_list_lets_in_what_stands_on_it(limits, occasion, answer):
    assert rule(limits, occasion) == answer


def test_a_no_to_one_study_in_any_document_closes_it_and_no_other():
    saying_no = PATIENT.view(details=PATIENT.details(limits=Limits(denied=(Denial(studies=(ONE,)),))))
    for occasion, left in ((Occasion(ONE), False), (Occasion(OTHER), True)):
        documents = [(view, decide(view, STUDY, IN_2026, occasion)) for view in (PATIENT.view(), saying_no)]
        assert usable(documents, STUDY, IN_2026, occasion).decide(None).permits == left


@pytest.mark.parametrize(
    "said", [{"categories": ("images", "diagnoses")}, {"studies": (OTHER, ONE)}, {"studies": (ONE, ONE)}]
)
def test_a_list_has_one_spelling(said):
    with pytest.raises(ConsentError, match="limits.order"):
        Limits(**said)


@pytest.mark.parametrize(
    "said", [{"categories": ["blood"]}, {"studies": ["heart"]}, {"denied": [{"studies": ["heart"]}]}]
)
def test_what_is_no_kind_of_data_and_no_study_is_refused(said):
    with pytest.raises(CanonicalRefused, match="canonical.invalid"):
        canonical.convert({"conditions": [], "denied": [], **said}, Limits)


def test_wishes_permit_nothing():
    view = PATIENT.view(preset="cancer", details=PATIENT.details(feedback=True, contact="letter"))
    assert not decide(view, STUDY, IN_2026).permits
    assert msgspec.structs.asdict(PATIENT.details(feedback=True))["contact"] == "portal"


TERMS = [Condition(term=duo.NPU), Condition(term=duo.GS, values=("US",)), Condition(term=duo.CC)]
some_studies = st.lists(st.sampled_from([ONE, OTHER]), unique=True).map(lambda found: tuple(sorted(found)))
limits = st.builds(
    Limits,
    conditions=st.lists(st.sampled_from(TERMS), unique=True).map(tuple),
    denied=st.lists(st.sampled_from([Denial(studies=(ONE,)), Denial(diseases=(HEART,))]), unique=True).map(tuple),
    categories=st.lists(st.sampled_from(CATEGORIES), unique=True).map(lambda found: tuple(sorted(found))),
    studies=st.none() | some_studies,
)


@settings(max_examples=300)
@given(limits, limits, st.sampled_from([ONE, OTHER, ""]), st.sets(st.sampled_from(CATEGORIES)))
def test_what_lies_within_permits_nothing_that_the_wider_does_not(inner, wider, asked, kinds):
    occasion = Occasion(asked, categories=tuple(sorted(kinds)))
    assert inner.within(inner)
    if inner.within(wider):
        small, big = (
            decide(PATIENT.view(details=PATIENT.details(limits=one)), STUDY, IN_2026, occasion)
            for one in (inner, wider)
        )
        assert big.permits or not small.permits, (big, small)


@pytest.mark.parametrize(
    "change",
    [
        {"conditions": ()},
        {"conditions": (Condition(term=duo.CC), Condition(term=duo.NPU))},
        {"denied": ()},
        {"categories": ()},
        {"categories": ("diagnoses", "images")},
        {"studies": None},
        {"studies": (ONE, OTHER)},
    ],
)
def test_what_allows_more_in_one_place_is_not_within(change):
    plain = {"conditions": (Condition(term=duo.NPU),), "denied": (Denial(studies=(OTHER,)),)}
    now = Limits(**plain, categories=("images",), studies=(ONE,))
    changed = msgspec.structs.replace(now, **change)
    assert not changed.within(now) and now.within(now)
