"""Saying yes or no for somebody: understand, what for, how long, check, sign; with one's own passkey, if set up."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_noop

from consent.errors import CovenantError
from portal import language, pages
from portal.accounts.access import persona
from portal.errors import PortalError, TooMany
from portal.patients import access, giving, mandates, passkeys, services, speaking, texts, words
from portal.patients.mandate_forms import NoForm, YesForm
from portal.patients.models import Mandate


@persona("patient", "proxy")
def yes(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The text, its quiz, what for, how long; the answers wait in the session until they are signed."""
    mandate = speaking_mandate(request, pk)
    text = giving.wanted(request)
    form = YesForm(request.POST or None, questions=text.front.quiz, allowed=mandates.offered(mandate))
    if form.is_valid():
        said = {name: form.cleaned_data[name] for name in ("preset", "until")}
        known = {"text": text.id, "language": text.language, "digest": text.digest}
        request.session[place(mandate)] = said | known
        return redirect("patients:acting-check", pk=pk)
    shown = {"mandate": mandate, "text": text, "html": texts.html(text), "languages": giving.languages(text)}
    return pages.page(request, "patients/acting_yes.html", form, shown)


@persona("patient", "proxy")
def check(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Check answers; a POST is the signature."""
    mandate = speaking_mandate(request, pk)
    answers = request.session.get(place(mandate), {})
    if answers.get("text") != texts.current():
        return redirect("patients:acting-yes", pk=pk)
    text = texts.text(answers["text"], answers["language"])
    if text.digest != answers["digest"]:
        raise PortalError(
            "patients.text-changed", gettext_noop("this is not the text that you have read: read it again")
        )
    wish = services.Wish(mandate.patient, answers["preset"], services.this_month(), answers["until"])
    problem = signed(request, mandate, wish, text.id, text.language)
    if problem is None:
        del request.session[place(mandate)]
        return redirect("patients:acting-for", pk=pk)
    shown = {
        "mandate": mandate,
        "purpose": words.PRESETS[wish.preset],
        "meaning": words.expansion(wish.preset),
        "until": words.month(wish.valid_until),
        "options": services.draft(wish, text, mandate),
        "problem": problem,
    }
    return render(request, "patients/acting_check.html", shown, status=422 if problem else 200)


@persona("patient", "proxy")
def no(request: HttpRequest, pk: UUID) -> HttpResponse:
    mandate = speaking_mandate(request, pk)
    text = texts.text(texts.current())
    form, problem = NoForm(request.POST or None), ""
    if form.is_valid():
        refused = signed(request, mandate, None, text.id, text.language)
        if refused is None:
            return redirect("patients:acting-for", pk=pk)
        problem = refused
    shown = {
        "mandate": mandate,
        "options": services.draft(mandates.refusal_of(mandate), text, mandate),
        "problem": problem,
    }
    return pages.page(request, "patients/acting_no.html", form, shown)


def signed(request: HttpRequest, mandate: Mandate, wish: services.Wish | None, text: str, read_in: str) -> str | None:
    """Say `wish`, or no, if the form was sent, under the text `text` in the language `read_in`; None where that was
    taken, else what to tell them ("": nothing).
    """
    if request.method != "POST":
        return ""
    try:
        how = passkeys.chosen(mandate, request.POST)
        if how is False:
            return passkeys.UNANSWERED
        access.GIVING.count(str(mandate.pk))
        mandates.speak(mandate=mandate, wish=wish, text=text, language=read_in, how=how)
    except TooMany:
        raise
    except CovenantError as refusal:
        return f"{language.told(refusal)} ({refusal.code})"
    return None


def speaking_mandate(request: HttpRequest, pk: UUID) -> Mandate:
    """One of my mandates under which I may speak now; 404 otherwise."""
    mandate = access.mandate(request, pk)
    if not speaking.in_force(mandate):
        raise Http404
    return mandate


def place(mandate: Mandate) -> str:
    """Where the answers wait in the session."""
    return f"saying-{mandate.pk}"
