"""A steward's pages about who may speak for whom: ages and mandates."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from consent.mandate import Mandate as Right
from portal import pages
from portal.accounts.access import persona
from portal.patients import mandates, passkey_setup, passkeys, speaking, words
from portal.patients.mandate_forms import AgeForm, AppointForm
from portal.patients.models import Mandate, Passkey


@persona("steward")
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    held = Mandate.objects.select_related("patient", "account").defer("private")
    keyed = set(Passkey.objects.filter(lost=None).values_list("mandate_id", flat=True))
    shown = {
        "held": [{**about(one), "in_force": speaking.in_force(one), "keyed": one.pk in keyed} for one in held],
    }
    return render(request, "patients/mandates.html", shown)


def reach(right: Right) -> list[str]:
    """What a mandate may agree to, in words; empty where that is all that is offered."""
    return [str(words.PRESETS.get(name, name)) for name in right.presets]


def named(request: HttpRequest) -> dict[str, str]:
    """What a form about a patient begins with: the patient from whose page the steward comes."""
    return {"patient": request.GET.get("patient", "")}


@persona("steward")
def age(request: HttpRequest) -> HttpResponse:
    form = AgeForm(request.POST or None, request.FILES or None, initial=named(request))
    if pages.sent(request, form, mandates.register_age):
        messages.success(request, "Kept. The document itself is not kept here, only its digest.")
        return redirect("patients:desk-patient", pk=form.cleaned_data["patient"].pk)
    return pages.page(request, "patients/mandate_age.html", form, {})


@persona("steward")
def appoint(request: HttpRequest) -> HttpResponse:
    form = AppointForm(request.POST or None, request.FILES or None, initial=named(request))
    passwords: list[str | None] = []

    def made(**answers: object) -> None:
        passwords.append(mandates.appoint(**answers)[1])  # type: ignore[arg-type]

    if pages.sent(request, form, made):
        if passwords[0] is None:
            return redirect("patients:mandates")
        shown = {"password": passwords[0], "username": form.cleaned_data["username"]}
        return render(request, "patients/mandate_made.html", shown)
    return pages.page(request, "patients/mandate_new.html", form, {})


@persona("steward")
def end(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask back, then end a mandate before its time."""
    mandate = found(pk)
    if not speaking.in_force(mandate):
        return redirect("patients:mandates")
    if request.method == "POST":
        mandates.end(mandate=mandate)
        messages.success(request, "Ended. What was said under it counts no more.")
        return redirect("patients:mandates")
    return render(request, "patients/mandate_end.html", about(mandate))


@persona("steward")
def lost(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask back, then note that the passkey of whoever speaks under a mandate is lost; the next one they set up."""
    mandate = found(pk)
    if not passkeys.of(mandate).filter(lost=None).exists():
        return redirect("patients:mandates")
    if request.method == "POST":
        passkey_setup.lose(signer=mandate)
        messages.success(request, "Noted as lost. It signs nothing any more; whoever lost it can set up another one.")
        return redirect("patients:mandates")
    return render(request, "patients/mandate_lost.html", about(mandate))


def found(pk: UUID) -> Mandate:
    return get_object_or_404(Mandate.objects.select_related("patient", "account"), pk=pk)


def about(mandate: Mandate) -> dict[str, object]:
    right = mandate.opened()
    return {"mandate": mandate, "right": right, "reach": reach(right)}
