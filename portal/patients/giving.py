"""Giving consent: understand, what for, how long, say more exactly, check, confirm.

Answers wait in the session until they are confirmed, with the digest of the text that was read: where another text is
the current one by then, it has to be read first.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop

from consent.texts import CHILD, ConsentText
from portal import language
from portal.accounts.access import persona
from portal.errors import PortalError
from portal.patients import access, by_file, choices, passkeys, selectors, services, speaking, texts, words
from portal.patients.forms import ExactlyForm, PurposeForm, UnderstandForm, UntilForm
from portal.patients.models import Grant

ANSWERS = "giving"
EXACTLY = (
    "recipients",
    "countries",
    "categories",
    "studies",
    "listed",
    "data_from",
    "data_until",
    "feedback",
    "contact",
)


@persona("patient")
def read(request: HttpRequest) -> HttpResponse:
    """Understand: the text, and a short quiz that explains mistakes."""
    patient = access.patient(request)
    standing = selectors.current(list(selectors.grants_of(patient)))
    if standing and not texts.is_old(standing.text):
        return redirect("patients:grant", pk=standing.pk)
    child = speaking.is_child(patient)
    wording = wanted(request, child=child)
    form = UnderstandForm(request.POST or None, questions=wording.front.quiz)
    if form.is_valid():
        known = {"text": wording.id, "language": wording.language, "digest": wording.digest}
        request.session[ANSWERS] = former(standing) | request.session.get(ANSWERS, {}) | known
        return redirect("patients:give-purpose")
    shown = {
        "form": form,
        "text": wording,
        "html": texts.html(wording),
        "languages": languages(wording, child=child),
        "barred": speaking.barred(patient),
    }
    return render(request, "patients/give_read.html", shown, status=422 if form.is_bound else 200)


@persona("patient")
def news(request: HttpRequest) -> HttpResponse:
    """What changed in the newer text, and what the old yes still permits."""
    standing = selectors.current(list(selectors.grants_of(access.patient(request))))
    if standing is None or not texts.is_old(standing.text):
        return redirect("patients:home")
    version = texts.current()
    child = speaking.is_child(standing.patient)
    read_in = texts.wanted(language.of(request), version, child=child).language
    shown = {
        "grant": standing,
        "language": read_in,
        "changes": texts.changes(standing.text, version, read_in),
        "still": words.STILL_PERMITS[selectors.lapses()[standing.text].still_permits],
    }
    return render(request, "patients/news.html", shown)


@persona("patient")
def purpose(request: HttpRequest) -> HttpResponse:
    return ask(request, PurposeForm, ("text",), name="preset", after="patients:give-until", back="patients:give")


@persona("patient")
def until(request: HttpRequest) -> HttpResponse:
    return ask(
        request, UntilForm, ("text", "preset"), name="until", after="patients:give-check", back="patients:give-purpose"
    )


@persona("patient")
def exactly(request: HttpRequest) -> HttpResponse:
    """Depth on demand: who, where, which parts, which studies, results."""
    answers = answered(request, ("text", "preset", "until"))
    if answers is None:
        return redirect("patients:give")
    said = {name: answers[name] for name in EXACTLY if name in answers}
    titles = selectors.studies_here()
    form = ExactlyForm(request.POST or None, initial=said, titles=titles, country=selectors.country())
    if form.is_valid():
        request.session[ANSWERS] = {**answers, **form.cleaned_data}
        return redirect("patients:give-check")
    shown = {"form": form, "back": reverse("patients:give-check")}
    return render(request, "patients/give_exactly.html", shown, status=422 if form.is_bound else 200)


@persona("patient")
def check(request: HttpRequest) -> HttpResponse:
    """Check answers; a POST is the confirmation."""
    answers = answered(request, ("text", "preset", "until"))
    if answers is None:
        return redirect("patients:give")
    patient, problem = access.patient(request), ""
    standing = selectors.current(list(selectors.grants_of(patient)))
    denied = standing.opened().limits.denied if standing else ()  # a newer text takes back no no
    chosen = choices.chosen(answers, selectors.country(), denied)
    preset = choices.preset(answers["preset"], answers)
    if request.method == "POST" and (how := passkeys.chosen(patient, request.POST)) is False:
        problem = str(passkeys.UNANSWERED)
    elif request.method == "POST":
        access.GIVING.count(str(patient.pk))
        grant = services.give(
            patient=patient,
            preset=preset,
            valid_from=services.this_month(),
            valid_until=answers["until"],
            text=answers["text"],
            language=answers["language"],
            choices=chosen,
            how=how or None,
        )
        del request.session[ANSWERS]
        return redirect("patients:grant", pk=grant.pk)
    wish = services.Wish(patient, preset, services.this_month(), answers["until"], chosen)
    shown = {
        "options": services.draft(wish, texts.text(answers["text"], answers["language"])),
        "to_sign": by_file.to_sign(patient),
        "problem": problem,
        "purpose": words.PLAIN[answers["preset"]],
        "meaning": words.expansion(preset, chosen.limits),
        "until": words.month(answers["until"]),
        "exactly": words.exactly(chosen, selectors.titles(chosen.named)),
    }
    return render(request, "patients/give_check.html", shown, status=422 if problem else 200)


def wanted(request: HttpRequest, *, child: bool = False) -> ConsentText:
    """The current text in the language asked for, where it is there; for a child in words for children."""
    return texts.wanted(language.of(request), texts.current(), child=child)


def languages(wording: ConsentText, *, child: bool = False) -> list[tuple[str, str, bool]]:
    """What `wording` can be read in, as (code, what its speakers call it, whether it is what is shown)."""
    codes = texts.offered(wording.id, child=child)
    plain = [(one, one.removesuffix(CHILD)) for one in codes]
    return [(short, language.NAMES.get(short, short), code == wording.language) for code, short in plain]


def former(standing: Grant | None) -> dict[str, Any]:
    """The answers that led to the consent that stands, to start from where a newer text asks again."""
    if standing is None:
        return {}
    return choices.answers(standing.preset, choices.Choices.of(standing.opened()))


def answered(request: HttpRequest, needs: tuple[str, ...]) -> dict[str, Any] | None:
    """The answers so far, if `needs` are among them and the text that was read is still the one to ask under."""
    found: dict[str, Any] = request.session.get(ANSWERS, {})
    if not set(needs) <= found.keys() or found["text"] != texts.current():
        return None
    if texts.text(found["text"], found["language"]).digest != found["digest"]:
        raise PortalError(
            "patients.text-changed", gettext_noop("this is not the text that you have read: read it again")
        )
    return found


def ask(
    request: HttpRequest,
    kind: type[PurposeForm | UntilForm],
    needs: tuple[str, ...],
    *,
    name: str,
    after: str,
    back: str,
) -> HttpResponse:
    """One question; its answer is kept and can be changed until it is confirmed."""
    answers = answered(request, needs)
    if answers is None:
        return redirect("patients:give")
    form = kind(request.POST or None, initial={name: answers.get(name)})
    if form.is_valid():
        request.session[ANSWERS] = {**answers, name: form.cleaned_data[name]}
        return redirect(after)
    status = 422 if form.is_bound else 200
    shown = {"form": form, "back": reverse(back), "title": gettext("Give consent")}
    return render(request, "patients/question.html", shown, status=status)
