"""Who may speak for whom, case by case, as a hospital meets them."""

from __future__ import annotations

from typing import Any

import pytest

from consent import duo, periods
from consent.decide import decide, read_all
from consent.limits import Denial, Limits
from consent.mandate import Age, Mandate
from consent.voices import PATIENT, Spoken, Together, together
from tests.unit.consent.examples import HEART, IN_2026, Patient, study

STUDY = study(duo.DS, [HEART])
EVIDENCE = "ab" * 32
DAY = 86_400


def age(assents_from: str = "2030-01-01", of_age_from: str = "2034-01-01") -> Age:
    return Age(
        assents_from=f"{assents_from}T00:00:00+01:00",
        of_age_from=f"{of_age_from}T00:00:00+01:00",
        policy="hungary",
        evidence=EVIDENCE,
    )


SMALL, ASKED, GROWN = age(), age(assents_from="2024-01-01"), age("2020-01-01", "2026-05-20")  # IN_2026 is 28 May


def mandate(**changed: Any) -> Mandate:
    plain = {
        "office": "guardian",
        "starts": "2020-01-01T00:00:00+01:00",
        "ends": "2040-01-01T00:00:00+01:00",
        "evidence": EVIDENCE,
    }
    return Mandate(**(plain | changed))


REPRESENTS = {"office": "representative", "starts": "2026-01-01T00:00:00+01:00"}


def said(speaker: str, child: Age | None, by: dict[str, Any] | None = None, **changed: Any) -> Spoken:
    """One document; `changed`: of Spoken, or (`days_ago`, `denied`, `preset`) of what it says."""
    ago, denied = changed.pop("days_ago", 1), changed.pop("denied", ())
    details = Patient().details(
        age=child, mandate=None if speaker == PATIENT else mandate(**(by or {})), limits=Limits(denied=denied)
    )
    view = Patient().view(
        details=details, recorded_at=IN_2026 - ago * DAY, preset=changed.pop("preset", "heart-disease")
    )
    return Spoken(view, read_all([view], STUDY, IN_2026)[0], speaker, **changed)


def ask(*documents: Spoken) -> Together:
    return together(documents, STUDY, IN_2026)


NO = (Denial(),)


@pytest.mark.parametrize(
    ("documents", "rule"),
    [
        ([said("mother", SMALL)], "voices.agree"),
        ([said("mother", ASKED)], "age.not-asked"),
        ([said("mother", ASKED), said(PATIENT, ASKED)], "voices.agree"),
        ([said("mother", ASKED), said(PATIENT, None)], "voices.agree"),  # a child does not grow up by leaving age out
        ([said(PATIENT, ASKED)], "age.child-alone"),
        ([said("mother", SMALL), said(PATIENT, SMALL, taken_back=True)], "voices.disagree"),
        ([said("mother", SMALL), said("father", SMALL)], "voices.agree"),
        ([said("mother", SMALL), said("father", SMALL, denied=NO)], "voices.disagree"),
        ([said("mother", SMALL), said("father", SMALL, denied=NO, counts=False)], "consent.denied"),
        ([said("mother", SMALL), said("father", SMALL, taken_back=True)], "voices.disagree"),
        ([said("mother", SMALL), said("father", SMALL, taken_back=True), said("father", SMALL)], "voices.agree"),
        ([said("mother", SMALL), said("father", SMALL, preset="cancer")], "voices.disagree"),
        ([said("mother", SMALL), said("father", SMALL, denied=NO, ended=IN_2026)], "voices.agree"),
        ([said("mother", GROWN, days_ago=90)], "age.ask-again"),
        ([said("mother", GROWN, days_ago=90), said(PATIENT, GROWN, days_ago=90)], "age.ask-again"),
        ([said("mother", GROWN, days_ago=90, denied=NO), said(PATIENT, GROWN)], "voices.agree"),
        ([said(PATIENT, GROWN, days_ago=90, denied=NO), said(PATIENT, GROWN)], "consent.denied"),
        ([said("mother", SMALL, {"ends": "2026-05-28T00:00:00+00:00"})], "mandate.not-held"),
        ([said("mother", SMALL, {"starts": "2026-05-28T00:00:00+00:00"})], "mandate.not-held"),  # recorded before
        ([said("mother", SMALL, ended=IN_2026 - 1)], "mandate.not-held"),
        ([said("mother", SMALL, {"presets": ("cancer",)})], "voices.none"),
        ([said("aunt", None, REPRESENTS)], "voices.agree"),
        ([said("aunt", None, REPRESENTS), said(PATIENT, None)], "voices.agree"),  # the patient's own is passed over
        ([said("aunt", None, REPRESENTS, ended=IN_2026 - 2 * DAY), said(PATIENT, None)], "voices.agree"),
        ([said("aunt", None, REPRESENTS, ended=IN_2026 - DAY // 2), said(PATIENT, None)], "mandate.not-held"),
        ([said("aunt", None, REPRESENTS), said(PATIENT, None, days_ago=300, preset="cancer")], "voices.disagree"),
        ([said("aunt", None, REPRESENTS), said(PATIENT, None, days_ago=300, taken_back=True)], "voices.disagree"),
        ([], "voices.none"),
    ],
)
def test_what_documents_say_together(documents: list[Spoken], rule: str) -> None:
    found = ask(*documents)
    assert found.decision.rule == rule
    assert found.decision.permits == (rule == "voices.agree") == found.left.decide(None).permits
    assert ask(*reversed(documents)).decision.permits == found.decision.permits


def test_what_was_said_under_a_mandate_is_what_counts_as_the_yes() -> None:
    assert ask(said(PATIENT, ASKED), said("mother", ASKED)).yes == (1,)
    assert ask(said(PATIENT, None, days_ago=300), said("aunt", None, REPRESENTS)).yes == (0, 1)
    assert ask(said(PATIENT, None), said("aunt", None, REPRESENTS)).yes == (1,)


def test_the_hospitals_own_knowledge_of_an_age_counts_where_no_document_tells_it() -> None:
    alone = said(PATIENT, None)
    assert ask(alone).decision.permits
    assert together([alone], STUDY, IN_2026, ASKED).decision.rule == "age.child-alone"
    assert together([alone], STUDY, IN_2026, GROWN).decision.permits  # recorded after the birthday


def test_of_two_ages_the_stricter_counts_both_ways() -> None:
    """A birthday written down twice: guardians stop at the earlier, the patient begins at the later."""
    grown, small = GROWN, age("2025-06-10", "2026-06-10")
    assert not ask(said("mother", small, days_ago=30), said("father", grown, days_ago=30)).decision.permits
    assert not ask(said(PATIENT, small), said("father", grown, days_ago=30)).decision.permits


def test_coming_of_age_is_a_moment_at_the_hospital() -> None:
    child = age("2020-01-01", "2026-03-01")
    own = said(PATIENT, child, days_ago=200)
    midnight = periods.instant("2026-03-01T00:00:00+01:00")
    given = [said("mother", child, days_ago=200), own]
    assert together(given, STUDY, midnight - 1).decision.permits
    assert together(given, STUDY, midnight).decision.rule == "age.ask-again"


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        (said("mother", SMALL), "permission.disease"),
        (said("mother", ASKED), "age.not-asked"),
        (said(PATIENT, ASKED), "age.child-alone"),
        (said(PATIENT, GROWN), "permission.disease"),
        (said(PATIENT, GROWN, days_ago=90), "age.ask-again"),
        (said("mother", GROWN, days_ago=90), "age.ask-again"),
        (said("mother", None), "age.ask-again"),  # a guardian of nobody's child
        (said("mother", SMALL, {"presets": ("cancer",)}), "mandate.scope"),
        (said("aunt", None, {"ends": "2026-05-28T00:00:00+00:00"}), "age.ask-again"),
        (said("aunt", None, REPRESENTS | {"ends": "2026-05-28T00:00:00+00:00"}), "mandate.not-held"),
    ],
)
def test_one_document_alone(document: Spoken, rule: str) -> None:
    assert decide(document.view, STUDY, IN_2026).rule == rule


def test_a_document_whose_signer_may_not_say_it_is_no_question_for_a_person_either() -> None:
    alone = Patient().view(preset="general-research", details=Patient().details(age=SMALL), recorded_at=IN_2026 - DAY)
    roots = study(duo.DS, [HEART], ancestry=True)
    assert read_all([alone], roots, IN_2026)[0].verdict == "abstain"  # what its words say, whoever signed
    answers = {(one.verdict, one.rule) for one in (decide(alone, asked, IN_2026) for asked in (roots, STUDY))}
    assert answers == {("deny", "age.child-alone")}
