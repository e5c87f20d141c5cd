"""Withdrawing: what stops and what cannot be undone first, then one button. It is as easy as saying yes."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.accounts.access import persona
from portal.patients import access, impact, services
from portal.patients.views import facts


@persona("patient")
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The consent as a whole. The same again is answered with what stands."""
    found = access.grant(request, pk)
    if found.patient_withdrew:
        return redirect("patients:grant", pk=pk)
    if request.method == "POST":
        services.withdraw(grant=found)
        return redirect("patients:grant", pk=pk)
    shown = {"grant": found, "facts": facts(found), "impact": impact.of_patient(access.patient(request))}
    return render(request, "patients/withdraw.html", shown)
