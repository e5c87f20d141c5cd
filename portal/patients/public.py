"""The page on which anybody with a receipt and its code withdraws, without an account."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from consent.errors import CovenantError
from portal.errors import TooMany
from portal.limits import address
from portal.patients import access, handing_in
from portal.patients.views import download
from portal.withdrawals.forms import HandInForm
from portal.withdrawals.handed import admit
from portal.withdrawals.views import blame


def hand_in(request: HttpRequest) -> HttpResponse:
    form = HandInForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        answers = {name: form.cleaned_data[name] for name in ("receipt", "code", "signature")}
        try:
            handed = handing_in.hand_in(admit(address(request), **answers, known=handing_in.known))
        except TooMany:
            raise
        except CovenantError as refusal:
            blame(form, refusal)
        else:
            request.session[access.HANDED] = [*request.session.get(access.HANDED, []), str(handed.pk)]
            return redirect("patients:handed-in-done", pk=handed.pk)
    return render(request, "withdrawals/hand_in.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
def handed_in(request: HttpRequest, pk: UUID) -> HttpResponse:
    return render(request, "patients/handed_in.html", {"handed": access.handed_in(request, pk)})


@require_safe
def acknowledgement(request: HttpRequest, pk: UUID) -> HttpResponse:
    return download(bytes(access.handed_in(request, pk).acknowledgement), "acknowledgement.json")
