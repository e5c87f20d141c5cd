"""Giving consent in German: the pages speak the language of the text that is read, all of it, and remember it."""

from __future__ import annotations

import pytest

from portal.patients import selectors, services, texts
from portal.reactor import selectors as mirror
from tests.support.spoken import untranslated
from tests.support.understanding import understood

pytestmark = pytest.mark.django_db
PAGES = ("", "purpose/", "until/", "exactly/", "check/")


def names() -> set[str]:
    return {
        "Cleveland Clinic",
        *(one["name"] for one in mirror.records("members/org/")),
        *selectors.studies_here().values(),
    }


def walk(client, language: str) -> dict[str, str]:
    """Every page up to the signature, in `language`, chosen on the first one alone."""
    client.get(f"/consent/give/?language={language}")
    client.post("/consent/give/", understood(language=language))
    client.post("/consent/give/purpose/", {"preset": "heart-disease"})
    until = client.get("/consent/give/until/").context["form"].fields["until"].choices[0][0]
    client.post("/consent/give/until/", {"until": until})
    said = {"recipients": "non-profit", "countries": "here", "studies": "listed", "categories": ["images"]}
    said |= {"data_from": "2020-02-29", "feedback": "on", "contact": "letter"}
    assert client.post("/consent/give/exactly/", said).status_code == 302
    return {page: client.get(f"/consent/give/{page}").content.decode() for page in PAGES}


def test_no_word_of_the_other_language_is_left_on_any_page(ledger, catch_up, new_patient, visitor):
    catch_up()
    english, german = (walk(visitor(new_patient().account), language) for language in ("en", "de"))
    for page in PAGES:
        assert not untranslated(english[page], german[page], names()), page
    assert "Nur in US." in german["check/"] and "29. Februar 2020" in german["check/"]


def test_what_was_chosen_is_signed_with_the_german_text(ledger, catch_up, as_patient):
    catch_up()
    patient, client = as_patient
    walk(client, "de")
    wrong = client.post("/consent/give/exactly/", {"contact": "letter"}).content.decode()
    assert "Bitte schauen Sie noch einmal hin" in wrong and "Wählen Sie mindestens einen Teil." in wrong
    assert client.post("/consent/give/check/").status_code == 302
    details = patient.grants.get().opened()
    assert (details.language, details.text_digest) == ("de", texts.text(texts.FIRST, "de").digest)
    assert '<html lang="de">' in client.get("/consent/passkey/").content.decode()


def test_the_consent_that_stands_is_shown_made_smaller_and_stopped_in_german(ledger, catch_up, new_patient, visitor):
    catch_up()
    pages: dict[str, list[str]] = {}
    for language in ("en", "de"):
        patient = new_patient()
        client = visitor(patient.account)
        before = client.get("/consent/").content.decode() if language == "en" else ""
        walk(client, language)
        client.post("/consent/give/check/")
        catch_up()
        grant = patient.grants.get()
        client.post(f"/consent/{grant.pk}/narrow/until/", {"until": services.this_month()})
        paths = [
            "",
            f"{grant.pk}/",
            f"{grant.pk}/narrow/check/",
            f"{grant.pk}/narrow/exactly/",
            f"{grant.pk}/withdraw/",
        ]
        pages[language] = [client.get(f"/consent/{path}").content.decode() for path in paths]
        client.post(f"/consent/{grant.pk}/withdraw/")
        catch_up()
        pages[language] += [client.get(f"/consent/{path}").content.decode() for path in ("", f"{grant.pk}/")]
        assert "You have not said yes." in before or language == "de"
    for english, german in zip(pages["en"], pages["de"], strict=True):
        assert not untranslated(english, german, names())


def test_the_language_is_chosen_on_the_first_page_too_and_back(ledger, as_patient):
    _, client = as_patient
    assert 'href="?language=de"' in client.get("/consent/").content.decode()
    assert "Sie haben nicht ja gesagt." in client.get("/consent/?language=de").content.decode()
    assert "Worum geht es?" in client.get("/consent/give/").content.decode()
    client.get("/consent/?language=en")
    assert "What is this about?" in client.get("/consent/give/").content.decode()


@pytest.mark.parametrize("asked", ["fr", "", "en-x-child", "../de"])
def test_another_language_is_none_of_ours(ledger, as_patient, asked):
    _, client = as_patient
    assert '<html lang="en">' in client.get(f"/consent/give/?language={asked}").content.decode()
    assert "language" not in client.session


def test_a_child_is_told_in_german_that_a_grown_up_comes_first(ledger, new_patient, visitor, monkeypatch):
    monkeypatch.setattr(services.speaking, "is_child", lambda patient: True)
    page = visitor(new_patient().account).get("/consent/give/?language=de").content.decode()
    assert "Zuerst sagt ein Erwachsener ja, der für Sie sprechen darf" in page
