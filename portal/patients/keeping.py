"""The pages about a passkey, the patient's or of whoever speaks for them: set it up, sign with it what was signed
in another way."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_noop

from portal import language
from portal.accounts.access import persona
from portal.errors import PortalError
from portal.patients import access, by_file, passkey_setup, passkeys, saying, selectors, services, texts, words
from portal.patients.models import Grant, KeyKind
from portal.patients.passkeys import Signer
from portal.patients.views import own_facts

STATE = "passkey"  # what the browser was asked, until it answers


@persona("patient")
def passkey(request: HttpRequest) -> HttpResponse:
    """My passkey: the one that stands, or setting one up."""
    patient = access.patient(request)
    problem = set_up(request, patient, gettext("It signs what you allow and what you stop."))
    if problem is None:
        return redirect("patients:passkey")
    shown = about(request, patient)
    current = selectors.current(list(selectors.grants_of(patient)))
    unsigned = current if shown["passkey"] and current and may_sign_anew(current) else None
    shown |= {
        "problem": problem,
        "unsigned": unsigned,
        "unsigned_how": words.signed_by_you(unsigned) if unsigned else "",
    }
    return render(request, "patients/passkey.html", shown, status=422 if problem else 200)


@persona("patient", "proxy")
def passkey_for(request: HttpRequest, pk: UUID) -> HttpResponse:
    """My passkey for one whom I speak for: another one for each, so that keys do not show for whom I speak."""
    mandate = saying.speaking_mandate(request, pk)
    problem = set_up(request, mandate, gettext("It signs what you say for {}.").format(mandate.name))
    if problem is None:
        return redirect("patients:acting-passkey", pk=pk)
    shown = about(request, mandate) | {"mandate": mandate, "problem": problem}
    return render(request, "patients/acting_passkey.html", shown, status=422 if problem else 200)


def set_up(request: HttpRequest, signer: Signer, done: str) -> str | None:
    """Keep what the browser made, if the form was sent; None where that is done, else what to say ("": nothing)."""
    if request.method != "POST":
        return ""
    try:
        state = request.session.pop(STATE, None)
        passkey_setup.register(signer=signer, state=state, sent=request.POST.get("passkey", ""))
    except PortalError as refusal:
        return language.told(refusal)
    messages.success(request, f"{gettext('Your passkey is set up.')} {done}")
    return None


def about(request: HttpRequest, signer: Signer) -> dict[str, Any]:
    """What both pages say of a passkey. `options`: for the browser to make one, where there is none."""
    standing, past = passkeys.active(signer), list(passkeys.of(signer).exclude(lost=None))
    options = ""
    if standing is None and passkeys.party():
        options, request.session[STATE] = passkey_setup.creation(signer)
    return {"passkey": standing, "options": options, "past": past, "lost": bool(past)}


@persona("patient")
def sign_anew(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The same consent, signed with the passkey; a POST is the signature."""
    grant, problem = access.standing_grant(request, pk), ""
    if not may_sign_anew(grant) or passkeys.active(grant.patient) is None:
        return redirect("patients:passkey")
    if request.method == "POST":
        access.GIVING.count(str(grant.patient_id))
        try:
            touched = passkeys.signed_by(grant.patient, request.POST)
            if touched is None:
                raise passkeys.refused(gettext_noop("your own key did not sign: try again"))
            new = services.sign_anew(grant=grant, touched=touched)
        except PortalError as refusal:
            problem = language.told(refusal)
        else:
            return redirect("patients:grant", pk=new.pk)
    wish = services.like(grant, grant.preset, grant.valid_until)
    options = services.draft(wish, texts.text(grant.text, grant.opened().language))
    shown = {
        "grant": grant,
        "facts": own_facts(grant),
        "options": options,
        "to_sign": by_file.to_sign(grant.patient),
        "problem": problem,
    }
    return render(request, "patients/sign_anew.html", shown, status=422 if problem else 200)


def may_sign_anew(grant: Grant) -> bool:
    return grant.attestation not in KeyKind.values and not texts.is_old(grant.text)
