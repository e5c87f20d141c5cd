"""The pages about a patient's passkey: set it up, sign with it what was signed in another way."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.accounts.access import persona
from portal.errors import PortalError
from portal.patients import access, passkeys, selectors, services, texts, words
from portal.patients.models import Grant, Patient
from portal.patients.views import facts

STATE = "passkey"  # what the browser was asked, until it answers


@persona("patient")
def passkey(request: HttpRequest) -> HttpResponse:
    """My passkey: the one that stands, or setting one up."""
    patient, problem = access.patient(request), ""
    if request.method == "POST":
        try:
            state = request.session.pop(STATE, None)
            passkeys.register(patient=patient, state=state, sent=request.POST.get("passkey", ""))
        except PortalError as refusal:
            problem = refusal.message
        else:
            messages.success(request, "Your passkey is set up. From now on it signs what you allow and what you stop.")
            return redirect("patients:passkey")
    return render(request, "patients/passkey.html", about(request, patient, problem), status=422 if problem else 200)


def about(request: HttpRequest, patient: Patient, problem: str) -> dict[str, object]:
    standing = passkeys.active(patient)
    options = ""
    if standing is None and passkeys.party():
        options, request.session[STATE] = passkeys.creation(patient)
    current = selectors.current(list(selectors.grants_of(patient)))
    past = list(patient.passkeys.exclude(lost=None))
    unsigned = current if standing and current and may_sign_anew(current) else None
    return {
        "problem": problem,
        "passkey": standing,
        "options": options,
        "past": past,
        "lost": bool(past),
        "unsigned": unsigned,
        "unsigned_how": words.ATTESTATIONS[unsigned.attestation] if unsigned else "",
    }


@persona("patient")
def sign_anew(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The same consent, signed with the passkey; a POST is the signature."""
    grant, problem = access.standing_grant(request, pk), ""
    if not may_sign_anew(grant) or passkeys.active(grant.patient) is None:
        return redirect("patients:passkey")
    if request.method == "POST":
        access.GIVING.count(str(grant.patient_id))
        try:
            touched = passkeys.touch(request.POST.get("passkey", ""))
            if touched is None:
                raise passkeys.refused("your passkey did not sign: try again")
            new = services.sign_anew(grant=grant, touched=touched)
        except PortalError as refusal:
            problem = refusal.message
        else:
            return redirect("patients:grant", pk=new.pk)
    wish = services.like(grant, grant.preset, grant.valid_until)
    options = services.draft(wish, texts.text(grant.text, grant.opened().language))
    shown = {"grant": grant, "facts": facts(grant), "options": options, "problem": problem}
    return render(request, "patients/sign_anew.html", shown, status=422 if problem else 200)


def may_sign_anew(grant: Grant) -> bool:
    return grant.attestation != "passkey" and not texts.is_old(grant.text)
