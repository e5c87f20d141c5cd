"""Withdrawing: what stops and what cannot be undone first, then one button. It is as easy as saying yes."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from msgspec.structs import replace

from portal import language
from portal.accounts.access import persona
from portal.errors import PortalError
from portal.patients import access, by_file, impact, leaving, passkeys, services, texts
from portal.patients.models import Grant
from portal.patients.views import own_facts

RULES: Final = {
    "future-permits-only": _("Your stop is for all that comes. What was learned before may still be used."),
    "reliance": _("Others may go on using what they made while your yes stood. They may add nothing new."),
    "stop-now": _(
        "Those who use what was learned before should stop that too. The hospital has to ask them. "
        "What has been given out cannot be fetched back."
    ),
}


@persona("patient")
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The consent as a whole. The same again is answered with what stands."""
    found = access.grant(request, pk)
    if found.patient_withdrew:
        return redirect("patients:grant", pk=pk)
    problem = stopped(request, found)
    if problem is None:
        return redirect("patients:grant", pk=pk)
    shown = {
        "grant": found,
        "facts": own_facts(found),
        "impact": impact.of_patient(access.patient(request)),
        "rule": rule(found),
        "options": passkeys.withdrawal_options(found),
        "to_sign": by_file.to_withdraw(found),
        "problem": problem,
    }
    return render(request, "patients/withdraw.html", shown, status=422 if problem else 200)


def stopped(request: HttpRequest, grant: Grant) -> str | None:
    """Withdraw `grant` if the form was sent; None where that is done, else what to say ("": nothing)."""
    if request.method != "POST":
        return ""
    try:
        touched = passkeys.signed_by(passkeys.signer_of(grant), request.POST)
        services.withdraw(grant=grant, touched=touched)
    except PortalError as refusal:
        if refusal.code not in ("patients.passkey-refused", "patients.signature-refused"):
            raise
        return language.told(refusal)
    return None


@persona("patient")
def withdraw_study(request: HttpRequest, pk: UUID, study: UUID) -> HttpResponse:
    return leave(request, access.standing_grant(request, pk), str(study))


@persona("patient", "proxy")
def leave_for(request: HttpRequest, pk: UUID, study: UUID) -> HttpResponse:
    return leave(request, access.standing_said(request, pk), str(study))


def leave(request: HttpRequest, found: Grant, study: str) -> HttpResponse:
    """One study that would use the record; the consent goes on for the others. 404 for a study that would not."""
    report = impact.of_giver(found)
    one = next((one for one in report.stops if one.facts.study == study), None)
    if one is None:
        raise Http404
    problem, signer = "", passkeys.signer_of(found)
    if request.method == "POST" and (how := passkeys.chosen(signer, request.POST)) is False:
        problem = str(passkeys.UNANSWERED)
    elif request.method == "POST":
        new = leaving.leave(grant=found, study=study, how=how or None)
        return redirect(back_to(new))
    wording = texts.text(found.text, found.opened().language)
    shown = {
        "grant": found,
        "mandate": found.mandate,
        "only": one,
        "impact": replace(report, studies=(one,)),
        "rule": rule(found),
        "options": services.draft(leaving.wish(found, study), wording, found.mandate),
        "to_sign": by_file.to_sign(signer),
        "problem": problem,
        "whole": address(found, "withdraw") if found.mandate is None else address(found, "back"),
        "back": back_to(found),
    }
    return render(request, "patients/withdraw_study.html", shown, status=422 if problem else 200)


def address(grant: Grant, name: str) -> str:
    """The page `name` about `grant`: among the patient's own pages, or among those of whoever spoke for them."""
    return reverse(f"patients:{name}" if grant.mandate_id is None else f"patients:acting-{name}", args=[grant.pk])


def back_to(grant: Grant) -> str:
    """The page that shows `grant` to whoever gave it."""
    if grant.mandate_id is None:
        return reverse("patients:grant", args=[grant.pk])
    return reverse("patients:acting-for", args=[grant.mandate_id])


def rule(grant: Grant) -> str:
    """What the signed text says about models that are made already; empty where the text's file is gone."""
    try:
        front = texts.text(grant.text, grant.opened().language).front
    except PortalError:  # nobody is kept from withdrawing by that
        return ""
    return str(RULES[front.rule_in(settings.NODE.country)])
