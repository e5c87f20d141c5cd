"""Rules that the laws reach and no case names: each once, with what makes it speak."""

from __future__ import annotations

import pytest

from consent import duo, presets
from consent.compatibility import decide_compatibly
from consent.decide import Use, decide_dataset
from consent.errors import ConsentError
from consent.purpose import Purpose
from consent.terms import DatasetTerms
from consent.voices import PATIENT
from tests.unit.consent.examples import HEART, study
from tests.unit.consent.test_voices import REPRESENTS, ask, said

USE = Use("2026-06-01", "2026-12-31")
ROOTS = study(duo.POA)


def written(*codes: str) -> DatasetTerms:
    return DatasetTerms(duo=codes, diseases=(HEART,) if duo.DS in codes else ())


@pytest.mark.parametrize(
    ("code", "purpose", "verdict", "rule"),
    [
        (duo.GRU, ROOTS, "abstain", "permission.ancestry"),
        (duo.GRU, study(duo.HMB, ancestry=True), "abstain", "permission.ancestry"),
        (duo.HMB, ROOTS, "deny", "permission.no-ancestry"),
        (duo.DS, study(duo.DS, [HEART], ancestry=True), "deny", "permission.no-ancestry"),
        (duo.POA, study(duo.HMB, ancestry=True), "deny", "permission.no-ancestry"),
        (duo.POA, ROOTS, "permit", "permission.covers"),
    ],
)
def test_ancestry_stands_apart(code: str, purpose: Purpose, verdict: str, rule: str) -> None:
    answer = decide_dataset(written(code), purpose, USE)
    assert (answer.verdict, answer.rule) == (verdict, rule)


@pytest.mark.parametrize(
    ("codes", "purpose", "verdict", "rule"),
    [
        ((duo.DS,), study(duo.GRU), "permit", "compatible.general"),
        ((duo.POA,), study(duo.GRU), "permit", "compatible.general"),
        ((), study(duo.GRU), "abstain", "compatible.no-case"),
        ((duo.GRU,), study(duo.GRU, care=True), "abstain", "compatible.no-case"),
        ((duo.HMB,), ROOTS, "deny", "permission.no-ancestry"),
        ((duo.POA,), ROOTS, "permit", "permission.covers"),
    ],
)
def test_large_portals_answer_by_rules_of_their_own(
    codes: tuple[str, ...], purpose: Purpose, verdict: str, rule: str
) -> None:
    answer = decide_compatibly(written(*codes), purpose)
    assert (answer.verdict, answer.rule) == (verdict, rule)


def test_what_was_signed_while_somebody_else_spoke_is_no_yes_of_ones_own() -> None:
    """Nor is the representative's word, once the mandate was ended."""
    represented = said("them", None, REPRESENTS, taken_back=True)
    assert ask(said(PATIENT, None), represented).decision.rule == "mandate.own-word"


def test_a_choice_that_is_not_offered_is_refused() -> None:
    for call in (lambda: presets.preset("everything"), lambda: presets.within("everything", "cancer")):
        with pytest.raises(ConsentError) as caught:
            call()
        assert caught.value.code == "presets.unknown"
