"""Allowing less: what for, how long, say more exactly, check, confirm. The new consent replaces the old one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext

from consent import presets
from portal.accounts.access import persona
from portal.patients import access, by_file, choices, impact, passkeys, selectors, services, texts, words
from portal.patients.choices import Choices
from portal.patients.forms import PurposeForm, UntilForm
from portal.patients.language import in_their_language
from portal.patients.less_forms import LessForm
from portal.patients.models import Grant
from portal.patients.withdrawing import rule


@persona("patient")
@in_their_language
def purpose(request: HttpRequest, pk: UUID) -> HttpResponse:
    grant = access.standing_grant(request, pk)
    answers, offered = answered(request, grant), texts.text(grant.text).front.presets
    allowed = [name for name in offered if name in words.PLAIN and presets.within(name, grant.preset)]
    form = PurposeForm(request.POST or None, allowed=allowed, initial=answers)
    if form.is_valid():
        request.session[place(grant)] = answers | form.cleaned_data
        return redirect("patients:narrow-until", pk=pk)
    return question(request, form, reverse("patients:grant", args=[pk]))


@persona("patient")
@in_their_language
def until(request: HttpRequest, pk: UUID) -> HttpResponse:
    grant = access.standing_grant(request, pk)
    answers = answered(request, grant)
    form = UntilForm(request.POST or None, latest=grant.valid_until, initial=answers)
    if form.is_valid():
        request.session[place(grant)] = answers | form.cleaned_data
        return redirect("patients:narrow-check", pk=pk)
    return question(request, form, reverse("patients:narrow", args=[pk]))


@persona("patient")
@in_their_language
def exactly(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The finer parts: who, where, which parts, which studies, results. Less of each, or the same."""
    grant = access.standing_grant(request, pk)
    answers, now = answered(request, grant), standing(grant)
    titles = selectors.studies_here() if now["studies"] == choices.ANY else selectors.titles(now["listed"])
    known = {"now": now, "titles": titles, "country": settings.NODE.country}
    form = LessForm(request.POST or None, initial=answers, **known)
    if form.is_valid():
        request.session[place(grant)] = answers | form.cleaned_data
        return redirect("patients:narrow-check", pk=pk)
    shown = {"form": form, "back": reverse("patients:narrow-check", args=[pk])}
    return render(request, "patients/give_exactly.html", shown, status=422 if form.is_bound else 200)


@persona("patient")
@in_their_language
def check(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What is new, what stops by it, and what cannot be undone; a POST is the signature."""
    grant = access.standing_grant(request, pk)
    answers, problem = answered(request, grant), ""
    chosen = choices.chosen(answers, settings.NODE.country, grant.opened().limits.denied)
    wish = services.like(grant, choices.preset(answers["preset"], answers), answers["until"], chosen)
    if request.method == "POST" and (how := passkeys.chosen(grant.patient, request.POST)) is False:
        problem = str(passkeys.UNANSWERED)
    elif request.method == "POST":
        access.GIVING.count(str(access.patient(request).pk))
        said = {"preset": wish.preset, "valid_until": wish.valid_until, "choices": chosen}
        new = services.narrow(grant=grant, **said, how=how or None)
        request.session.pop(place(grant), None)
        return redirect("patients:grant", pk=new.pk)
    return render(request, "patients/narrow_check.html", about(grant, wish, problem), status=422 if problem else 200)


def about(grant: Grant, wish: services.Wish, problem: str) -> dict[str, object]:
    """What the page says of `wish` in the place of `grant`."""
    new = services.replaces(wish, grant)
    titles = selectors.titles(wish.choices.named)
    return {
        "grant": grant,
        "new": new,
        "options": services.draft(wish, texts.text(grant.text, grant.opened().language)) if new else None,
        "to_sign": by_file.to_sign(grant.patient),
        "problem": problem,
        "purpose": words.PRESETS[wish.preset],
        "meaning": words.expansion(wish.preset, wish.choices.limits),
        "until": words.month(wish.valid_until),
        "exactly": words.exactly(wish.choices, titles),
        "impact": impact.of_less(grant, wish) if new else None,
        "rule": rule(grant),
    }


def standing(grant: Grant) -> dict[str, Any]:
    """The answers that the consent as it stands would come from."""
    return choices.answers(grant.preset, Choices.of(grant.opened())) | {"until": grant.valid_until}


def answered(request: HttpRequest, grant: Grant) -> dict[str, Any]:
    """The answers so far: what was not asked yet is as it stands."""
    found: dict[str, Any] = standing(grant) | request.session.get(place(grant), {})
    return found


def place(grant: Grant) -> str:
    """Where the answers about `grant` wait in the session."""
    return f"narrowing-{grant.pk}"


def question(request: HttpRequest, form: PurposeForm | UntilForm, back: str) -> HttpResponse:
    status = 422 if form.is_bound else 200
    return render(
        request, "patients/question.html", {"form": form, "back": back, "title": gettext("Allow less")}, status=status
    )
