"""Giving consent page by page: understood, chosen in depth, checked; what is signed is what was read and chosen."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from consent import duo
from consent.limits import Limits
from consent.terms import Condition
from portal.patients import services, texts
from portal.patients.choices import PLAIN, Choices, answers, chosen, preset
from portal.patients.models import Grant
from portal.reactor.models import Record
from tests.functional.node import HOSPITAL
from tests.support.understanding import understood

pytestmark = pytest.mark.django_db
PLAINLY = {"recipients": "not-for-gain", "countries": "anywhere", "studies": "any", "contact": "portal"}
ALL_KINDS = ["diagnoses", "free-text", "genomics", "images", "measurements", "medication"]


@pytest.fixture
def at_check(as_patient, catch_up):
    """A patient who has answered the plain questions, at a hospital that the members hold to sit in the US."""
    catch_up()
    patient, client = as_patient
    client.post("/consent/give/", understood())
    client.post("/consent/give/purpose/", {"preset": "heart-disease"})
    until = client.get("/consent/give/until/").context["form"].fields["until"].choices[0][0]
    client.post("/consent/give/until/", {"until": until})
    return patient, client


def signed(patient, client) -> Grant:
    answer = client.post("/consent/give/check/")
    assert answer.status_code == 302, answer.content
    return Grant.objects.get(patient=patient)


def test_a_mistake_in_the_quiz_is_explained_and_nothing_goes_on(as_patient):
    _, client = as_patient
    front = texts.text(texts.FIRST).front
    wrong = next(place for place, one in enumerate(front.quiz[0].answers) if not one.right)
    answer = client.post("/consent/give/", understood() | {"q1": str(wrong)})
    assert answer.status_code == 422 and front.quiz[0].answers[wrong].why in answer.content.decode()
    assert client.get("/consent/give/purpose/").status_code == 302
    for missing in ("q2", "read"):
        given = {name: value for name, value in understood().items() if name != missing}
        assert client.post("/consent/give/", given).status_code == 422


def test_what_is_signed_names_the_text_in_the_language_it_was_read_in(ledger, as_patient):
    patient, client = as_patient
    page = client.get("/consent/give/?language=de").content.decode()
    german = texts.text(texts.FIRST, "de")
    assert "<h2>Worum geht es?</h2>" in page and german.digest in page
    client.post("/consent/give/?language=de", understood(language="de"))
    client.post("/consent/give/purpose/", {"preset": "cancer"})
    until = client.get("/consent/give/until/").context["form"].fields["until"].choices[0][0]
    client.post("/consent/give/until/", {"until": until})
    details = signed(patient, client).opened()
    assert (details.text_digest, details.language) == (german.digest, "de")
    assert german.digest == texts.publication()["digests"]["de"]


def test_nothing_more_said_is_nothing_more_signed(ledger, at_check):
    details = signed(*at_check).opened()
    assert (details.limits, details.feedback, details.contact) == (Limits(), False, "portal")


def test_depth_is_signed_inside_the_details_alone(ledger, at_check):
    patient, client = at_check
    said = PLAINLY | {
        "recipients": "non-profit",
        "countries": "here",
        "categories": ["diagnoses", "measurements"],
        "studies": "listed",
        "data_from": "2020-02-29",
        "feedback": "on",
        "contact": "letter",
    }
    assert client.post("/consent/give/exactly/", said).status_code == 302
    page = client.get("/consent/give/check/").content.decode()
    for words in (
        "do not work for profit",
        "Only in US.",
        "Illnesses that were found",
        "ask me for each",
        "29 February",
    ):
        assert words in page
    grant = signed(patient, client)
    details = grant.opened()
    conditions = (Condition(term=duo.NPU), Condition(term=duo.GS, values=("US",)))
    assert set(details.limits.conditions) == set(conditions)
    assert (details.limits.categories, details.limits.studies) == (("diagnoses", "measurements"), ())
    assert (details.data_from, details.feedback, details.contact) == ("2020-02-29", True, "letter")
    public = bytes(grant.statement).decode()
    assert grant.preset == "heart-disease" and not any(word in public for word in ("measurements", "letter", "US"))
    home = client.get("/consent/").content.decode()
    assert "Illnesses that were found" in home and "By letter" in home


def test_the_wider_choice_is_a_preset_of_its_own(ledger, at_check):
    patient, client = at_check
    client.post("/consent/give/exactly/", PLAINLY | {"recipients": "all", "categories": ALL_KINDS})
    assert "also to make money" in client.get("/consent/give/check/").content.decode()
    grant = signed(patient, client)
    assert (grant.preset, grant.opened().limits) == ("heart-disease-for-all", Limits())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"categories": []}, "Tick at least one part."),
        ({"categories": ["blood"]}, "choose one of the answers that this page offers"),
        ({"data_from": "2021-01-01", "data_until": "2020-01-01"}, "choose a later day"),
        ({"data_from": "2021-02-29"}, "no day of the calendar"),
        ({"recipients": "everybody"}, "choose one of the answers that this page offers"),
    ],
)
def test_what_cannot_be_is_asked_again(at_check, said, words):
    _, client = at_check
    answer = client.post("/consent/give/exactly/", PLAINLY | {"categories": ALL_KINDS} | said)
    assert answer.status_code == 422 and words in answer.content.decode()


def test_where_the_members_hold_no_country_the_question_is_not_asked(at_check):
    _, client = at_check
    assert "In which countries?" in client.get("/consent/give/exactly/").content.decode()
    own = Record.objects.get(key=f"members/org/{HOSPITAL}")
    own.body["country"] = None
    own.save()
    assert "In which countries?" not in client.get("/consent/give/exactly/").content.decode()


def test_a_changed_file_is_neither_shown_nor_signed(ledger, catch_up, at_check, tmp_path, monkeypatch):
    _, client = at_check
    catch_up()
    for file in texts.WORDING.glob("*.md"):
        (tmp_path / file.name).write_bytes(file.read_bytes().replace(b"add random noise", b"add no noise"))
    monkeypatch.setattr(texts, "WORDING", tmp_path)
    for path in ("/consent/give/", "/consent/give/check/"):
        answer = client.get(path)
        assert answer.status_code == 422 and "patients.text-changed" in answer.content.decode()
    assert client.post("/consent/give/check/").status_code == 422
    assert not Grant.objects.exists()
    assert client.get("/consent/").status_code == 200


def test_at_start_every_text_that_cannot_be_shown_is_named(ledger, catch_up, db, tmp_path, monkeypatch):
    catch_up()
    with capture_logs() as quiet:
        texts.report_changed()
    source = (texts.WORDING / f"{texts.FIRST}.en.md").read_bytes()
    (tmp_path / f"{texts.FIRST}.en.md").write_bytes(source + b"\nMore.\n")
    (tmp_path / "broken-1.en.md").write_bytes(b"no front matter")
    monkeypatch.setattr(texts, "WORDING", tmp_path)
    with capture_logs() as said:
        texts.report_changed()
    assert quiet == [] and {(one["text"], one["code"]) for one in said} == {
        (texts.FIRST, "patients.text-changed"),
        ("broken-1", "texts.malformed"),
    }


def test_words_read_before_a_change_are_read_again(at_check, tmp_path, monkeypatch):
    """Before the ledger knows the text there is nothing to hold the file against but what was read."""
    _, client = at_check
    for file in texts.WORDING.glob("*.md"):
        (tmp_path / file.name).write_bytes(file.read_bytes() + b"\nMore.\n")
    monkeypatch.setattr(texts, "WORDING", tmp_path)
    assert client.post("/consent/give/check/").status_code == 422 and not Grant.objects.exists()


def test_narrowing_keeps_what_was_said_more_exactly(ledger, catch_up, new_patient):
    choices = Choices(limits=Limits(categories=("images",)), feedback=True, contact="phone")
    now = services.this_month()
    old = services.give(
        patient=new_patient(), preset="health-research", valid_from=now, valid_until="2040-01", choices=choices
    )
    new = services.narrow(grant=old, preset="heart-disease", valid_until="2040-01")
    assert Choices.of(new.opened()) == choices


def test_answers_lead_back_to_the_choices_they_were_made_from():
    for said in (PLAIN, Choices("2020-01-01", None, Limits(categories=("images",), studies=()), True, "letter")):
        for name in ("cancer", "cancer-for-all"):
            again = answers(name, said)
            assert (preset(again["preset"], again), chosen(again, "US")) == (name, said)
