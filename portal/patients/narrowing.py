"""Allowing less: what for, how long, check, confirm. The new consent replaces the old one."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from consent import presets
from portal.accounts.access import persona
from portal.patients import access, passkeys, services, texts, words
from portal.patients.forms import PurposeForm, UntilForm
from portal.patients.models import Grant


@persona("patient")
def purpose(request: HttpRequest, pk: UUID) -> HttpResponse:
    grant = access.standing_grant(request, pk)
    if texts.is_old(grant.text):
        return redirect("patients:news")
    allowed = [name for name in texts.text(grant.text).front.presets if presets.within(name, grant.preset)]
    form = PurposeForm(request.POST or None, allowed=allowed, initial={"preset": grant.preset})
    if form.is_valid():
        request.session[place(grant)] = {"preset": form.cleaned_data["preset"]}
        return redirect("patients:narrow-until", pk=pk)
    return question(request, form, reverse("patients:grant", args=[pk]))


@persona("patient")
def until(request: HttpRequest, pk: UUID) -> HttpResponse:
    grant = access.standing_grant(request, pk)
    answers = request.session.get(place(grant), {})
    if "preset" not in answers:
        return redirect("patients:narrow", pk=pk)
    form = UntilForm(request.POST or None, latest=grant.valid_until, initial={"until": grant.valid_until})
    if form.is_valid():
        request.session[place(grant)] = {**answers, "until": form.cleaned_data["until"]}
        return redirect("patients:narrow-check", pk=pk)
    return question(request, form, reverse("patients:narrow", args=[pk]))


@persona("patient")
def check(request: HttpRequest, pk: UUID) -> HttpResponse:
    grant = access.standing_grant(request, pk)
    answers = request.session.get(place(grant), {})
    if not {"preset", "until"} <= answers.keys():
        return redirect("patients:narrow", pk=pk)
    problem = ""
    if request.method == "POST" and (how := passkeys.chosen(grant.patient, request.POST)) is False:
        problem = passkeys.UNANSWERED
    elif request.method == "POST":
        access.GIVING.count(str(access.patient(request).pk))
        new = services.narrow(grant=grant, preset=answers["preset"], valid_until=answers["until"], how=how or None)
        del request.session[place(grant)]
        return redirect("patients:grant", pk=new.pk)
    less = services.allows_less(grant, answers["preset"], answers["until"])
    wish = services.like(grant, answers["preset"], answers["until"])
    options = services.draft(wish, texts.text(grant.text, grant.opened().language)) if less else None
    shown = {
        "grant": grant,
        "options": options,
        "problem": problem,
        "purpose": words.PRESETS[answers["preset"]],
        "until": words.month(answers["until"]),
        "less": less,
    }
    return render(request, "patients/narrow_check.html", shown, status=422 if problem else 200)


def place(grant: Grant) -> str:
    """Where the answers about `grant` wait in the session."""
    return f"narrowing-{grant.pk}"


def question(request: HttpRequest, form: PurposeForm | UntilForm, back: str) -> HttpResponse:
    status = 422 if form.is_bound else 200
    return render(request, "patients/question.html", {"form": form, "back": back, "title": "Allow less"}, status=status)
