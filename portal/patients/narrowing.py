"""Allowing less: what for, how long, say more exactly, check, confirm. The new consent replaces the old one.

The same for a patient's own consent and for what somebody said for a patient; each finds their own alone.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext

from consent import presets
from portal.accounts.access import persona
from portal.patients import access, by_file, choices, impact, passkeys, selectors, services, texts, words
from portal.patients.choices import Choices
from portal.patients.forms import PurposeForm, UntilForm
from portal.patients.less_forms import LessForm
from portal.patients.models import Grant
from portal.patients.withdrawing import address, back_to, rule


@persona("patient")
def purpose(request: HttpRequest, pk: UUID) -> HttpResponse:
    return ask_purpose(request, access.standing_grant(request, pk))


@persona("patient")
def until(request: HttpRequest, pk: UUID) -> HttpResponse:
    return ask_until(request, access.standing_grant(request, pk))


@persona("patient")
def exactly(request: HttpRequest, pk: UUID) -> HttpResponse:
    return ask_exactly(request, access.standing_grant(request, pk))


@persona("patient")
def check(request: HttpRequest, pk: UUID) -> HttpResponse:
    return ask_check(request, access.standing_grant(request, pk))


@persona("patient", "proxy")
def purpose_for(request: HttpRequest, pk: UUID) -> HttpResponse:
    return ask_purpose(request, access.standing_said(request, pk))


@persona("patient", "proxy")
def until_for(request: HttpRequest, pk: UUID) -> HttpResponse:
    return ask_until(request, access.standing_said(request, pk))


@persona("patient", "proxy")
def exactly_for(request: HttpRequest, pk: UUID) -> HttpResponse:
    return ask_exactly(request, access.standing_said(request, pk))


@persona("patient", "proxy")
def check_for(request: HttpRequest, pk: UUID) -> HttpResponse:
    return ask_check(request, access.standing_said(request, pk))


def ask_purpose(request: HttpRequest, grant: Grant) -> HttpResponse:
    answers, offered = answered(request, grant), texts.text(grant.text).front.presets
    allowed = [name for name in offered if name in words.PLAIN and presets.within(name, grant.preset)]
    if grant.mandate is not None:
        allowed = [name for name in allowed if grant.mandate.opened().allows(name)]
    form = PurposeForm(request.POST or None, allowed=allowed, initial=answers)
    if grant.mandate is not None:
        form.fields["preset"].label = gettext("What may the record be used for?")
    if form.is_valid():
        request.session[place(grant)] = answers | form.cleaned_data
        return redirect(address(grant, "narrow-until"))
    return question(request, form, back_to(grant))


def ask_until(request: HttpRequest, grant: Grant) -> HttpResponse:
    answers = answered(request, grant)
    form = UntilForm(request.POST or None, latest=grant.valid_until, initial=answers)
    if form.is_valid():
        request.session[place(grant)] = answers | form.cleaned_data
        return redirect(address(grant, "narrow-check"))
    return question(request, form, address(grant, "narrow"))


def ask_exactly(request: HttpRequest, grant: Grant) -> HttpResponse:
    """The finer parts: who, where, which parts, which studies, results. Less of each, or the same."""
    answers, now = answered(request, grant), standing(grant)
    titles = selectors.studies_here() if now["studies"] == choices.ANY else selectors.titles(now["listed"])
    known = {"now": now, "titles": titles, "country": selectors.country()}
    form = LessForm(request.POST or None, initial=answers, **known)
    if form.is_valid():
        request.session[place(grant)] = answers | form.cleaned_data
        return redirect(address(grant, "narrow-check"))
    shown = {"form": form, "back": address(grant, "narrow-check")}
    return render(request, "patients/give_exactly.html", shown, status=422 if form.is_bound else 200)


def ask_check(request: HttpRequest, grant: Grant) -> HttpResponse:
    """What is new, what stops by it, and what cannot be undone; a POST is the signature."""
    answers, problem, signer = answered(request, grant), "", passkeys.signer_of(grant)
    limits = grant.opened().limits
    chosen = choices.chosen(answers, choices.country(limits) or selectors.country(), limits.denied)
    wish = services.like(grant, choices.preset(answers["preset"], answers), answers["until"], chosen)
    if request.method == "POST" and (how := passkeys.chosen(signer, request.POST)) is False:
        problem = str(passkeys.UNANSWERED)
    elif request.method == "POST":
        access.GIVING.count(str(signer.pk))
        said = {"preset": wish.preset, "valid_until": wish.valid_until, "choices": chosen}
        new = services.narrow(grant=grant, **said, how=how or None)
        request.session.pop(place(grant), None)
        return redirect(back_to(new))
    return render(request, "patients/narrow_check.html", about(grant, wish, problem), status=422 if problem else 200)


def about(grant: Grant, wish: services.Wish, problem: str) -> dict[str, object]:
    """What the page says of `wish` in the place of `grant`."""
    new = services.replaces(wish, grant)
    titles = selectors.titles(wish.choices.named)
    wording = texts.text(grant.text, grant.opened().language)
    return {
        "grant": grant,
        "mandate": grant.mandate,
        "change": {
            name.replace("-", "_"): address(grant, name) for name in ("narrow", "narrow-until", "narrow-exactly")
        },
        "back": back_to(grant),
        "new": new,
        "options": services.draft(wish, wording, grant.mandate) if new else None,
        "to_sign": by_file.to_sign(passkeys.signer_of(grant)),
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
