"""What a steward sees of patients: whom to ask again, and withdrawals that the ledger refused, not whose they are."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from portal.accounts.access import persona
from portal.patients import lapses, selectors, sending

SHOWN = 200
AGAIN = {  # the rules of portal.patients.lapses, as a steward reads them
    "consent.expired": "the last day that was chosen is over",
    "age.ask-again": "the patient is grown up now and decides alone",
    "mandate.not-held": "whoever said it may not speak for the patient any more",
}


@persona("steward")
@require_http_methods(["GET", "HEAD", "POST"])
def refused(request: HttpRequest) -> HttpResponse:
    """The refused withdrawals; the button sends them all once more."""
    if request.method == "POST":
        sending.send_refused()
        messages.success(request, "Sent again. What the ledger still refuses stays on this page.")
        return redirect("patients:refused-withdrawals")
    return render(request, "patients/refused_withdrawals.html", {"refused": selectors.refused_withdrawals()})


@persona("steward")
@require_safe
def ask_again(request: HttpRequest) -> HttpResponse:
    found = lapses.to_ask_again()
    rows, count = found.values_list("patient_id", "lapse", "lapsed_at")[:SHOWN], found.count()
    again = [(patient, AGAIN.get(rule, rule), when) for patient, rule, when in rows]
    return render(request, "patients/desk_again.html", {"again": again, "more": count if count > SHOWN else 0})
