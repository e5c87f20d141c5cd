"""What a steward sees of this hospital in all studies: what left it, its budget, and the pause switch."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal.accounts.access import persona
from portal.pages import page, sent
from portal.reactor import selectors as mirror
from portal.studies import access, budget, departures, selectors, services
from portal.studies.forms import PauseForm, ReceiveForm, SettleForm


@require_safe
@persona("steward")
def left(request: HttpRequest) -> HttpResponse:
    return render(request, "studies/left.html", {"left": departures.of(settings.NODE.msp)})


@require_safe
@persona("steward")
def account(request: HttpRequest) -> HttpResponse:
    context = {
        "account": budget.account("steward", settings.NODE.msp),
        "reservations": selectors.reservations(settings.NODE.msp),
        "counts": mirror.records(f"budget/count/{settings.NODE.msp}/"),
    }
    return render(request, "studies/budget.html", context)


@persona("steward")
def settle(request: HttpRequest, pk: object) -> HttpResponse:
    study = access.settleable(request, pk)
    form = SettleForm(request.POST if request.method == "POST" else None)
    if sent(request, form, services.settle, study=study):
        messages.success(request, "Recorded. What this study did not spend is free again.")
        return redirect("studies:budget")
    return page(request, "studies/settle.html", form, {"study": study})


@persona("steward")
def receive(request: HttpRequest, pk: UUID) -> HttpResponse:
    study = access.returnable(request, pk)
    form = ReceiveForm(request.POST or None, request.FILES or None)
    if sent(request, form, services.receive, study=study):
        messages.success(request, "Recorded. The study owes this hospital nothing more.")
        return redirect("studies:study", pk=pk)
    return page(request, "studies/receive.html", form, {"study": study})


@persona("steward")
def pause(request: HttpRequest) -> HttpResponse:
    paused = selectors.paused(settings.NODE.msp)
    form = PauseForm(request.POST or None, initial={"paused": "no" if paused else "yes"})
    if sent(request, form, services.pause):
        messages.success(
            request,
            "Recorded. "
            + ("This hospital is paused." if form.cleaned_data["paused"] else "This hospital takes part again."),
        )
        return redirect("studies:pause")
    return page(request, "studies/pause.html", form, {"paused": paused})
