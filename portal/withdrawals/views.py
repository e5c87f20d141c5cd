"""The institute's page for a withdrawal without an account. What is answered is shown once, since nothing is kept."""

from __future__ import annotations

from base64 import b64encode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from consent.errors import CovenantError
from portal import language
from portal.errors import TooMany
from portal.limits import address
from portal.withdrawals import services
from portal.withdrawals.forms import HandInForm
from portal.withdrawals.handed import admit


def hand_in(request: HttpRequest) -> HttpResponse:
    form = HandInForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        answers = {name: form.cleaned_data[name] for name in ("receipt", "code", "signature")}
        try:
            handed = admit(address(request), **answers)
            passed = services.pass_on(handed)
        except TooMany:
            raise
        except CovenantError as refusal:
            blame(form, refusal)
        else:
            shown = {
                "passed": passed,
                "file": b64encode(passed.acknowledgement).decode(),
                "again": {"text": handed.as_receipt(), "code": form.data["code"]},
            }
            status = 200 if passed.block is not None else 503
            return render(request, "withdrawals/passed_on.html", shown, status=status)
    return render(request, "withdrawals/hand_in.html", {"form": form}, status=422 if form.is_bound else 200)


def blame(form: HandInForm, refusal: CovenantError) -> None:
    """Put a refusal beside the field that has to be mended."""
    if refusal.code == "grant.withdrawal-invalid":
        form.add_error("code", gettext("This code or signature does not belong to this receipt. Check both."))
    else:
        form.add_error("file", language.told(refusal))
