"""Giving consent: read, what for, how long, check, confirm. Answers wait in the session until they are confirmed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.accounts.access import persona
from portal.patients import access, selectors, services, texts, words
from portal.patients.forms import AgreeForm, PurposeForm, UntilForm

ANSWERS = "giving"


@persona("patient")
def read(request: HttpRequest) -> HttpResponse:
    if standing := selectors.current(list(selectors.grants_of(access.patient(request)))):
        return redirect("patients:grant", pk=standing.pk)
    form = AgreeForm(request.POST or None)
    if form.is_valid():
        text = texts.text()
        request.session[ANSWERS] = {"text": text.id, "language": text.language}
        return redirect("patients:give-purpose")
    shown = {"form": form, "text": texts.text()}
    return render(request, "patients/give_read.html", shown, status=422 if form.is_bound else 200)


@persona("patient")
def purpose(request: HttpRequest) -> HttpResponse:
    return ask(request, PurposeForm, ("text",), name="preset", after="patients:give-until", back="patients:give")


@persona("patient")
def until(request: HttpRequest) -> HttpResponse:
    return ask(
        request, UntilForm, ("text", "preset"), name="until", after="patients:give-check", back="patients:give-purpose"
    )


@persona("patient")
def check(request: HttpRequest) -> HttpResponse:
    """Check answers; a POST is the confirmation."""
    answers = request.session.get(ANSWERS, {})
    if not {"text", "preset", "until"} <= answers.keys():
        return redirect("patients:give")
    if request.method == "POST":
        access.GIVING.count(str(access.patient(request).pk))
        grant = services.give(
            patient=access.patient(request),
            preset=answers["preset"],
            valid_from=services.this_month(),
            valid_until=answers["until"],
            text=answers["text"],
            language=answers["language"],
        )
        del request.session[ANSWERS]
        return redirect("patients:grant", pk=grant.pk)
    shown = {"purpose": words.PRESETS[answers["preset"]], "until": words.month(answers["until"])}
    return render(request, "patients/give_check.html", shown)


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
    answers = request.session.get(ANSWERS, {})
    if not all(need in answers for need in needs):
        return redirect("patients:give")
    form = kind(request.POST or None, initial={name: answers.get(name)})
    if form.is_valid():
        request.session[ANSWERS] = {**answers, name: form.cleaned_data[name]}
        return redirect(after)
    status = 422 if form.is_bound else 200
    shown = {"form": form, "back": reverse(back), "title": "Give consent"}
    return render(request, "patients/question.html", shown, status=status)
