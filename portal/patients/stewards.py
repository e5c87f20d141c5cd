"""What a steward sees of patients: withdrawals that the ledger refused, without saying whose they are."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal.accounts.access import persona
from portal.patients import selectors, sending


@persona("steward")
@require_http_methods(["GET", "HEAD", "POST"])
def refused(request: HttpRequest) -> HttpResponse:
    """The refused withdrawals; the button sends them all once more."""
    if request.method == "POST":
        sending.send_refused()
        messages.success(request, "Sent again. What the ledger still refuses stays on this page.")
        return redirect("patients:refused-withdrawals")
    return render(request, "patients/refused_withdrawals.html", {"refused": selectors.refused_withdrawals()})
