"""The catalogue: a steward's own data sets at a hospital, everybody's at the hub."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal.accounts.access import persona
from portal.accounts.models import Role
from portal.catalogue import access, selectors, services
from portal.catalogue.forms import AccountForm, CountForm, RegisterForm, RetireForm
from portal.pages import page, sent

MIN_COUNT = 20  # a noised count below this is not told (portal/access/counts.py)


@require_safe
@persona("steward", "researcher", "auditor")
def home(request: HttpRequest) -> HttpResponse:
    steward = request.user.role == Role.STEWARD
    owner = settings.NODE.msp if steward else None
    return render(
        request,
        "catalogue/list.html",
        {
            "datasets": selectors.datasets(owner),
            "steward": steward,
            "account": steward and selectors.has_account(settings.NODE.msp),
            "enrolment": selectors.enrolment() if steward else None,
        },
    )


@require_safe
@persona("steward", "researcher", "auditor")
def detail(request: HttpRequest, owner: str, slug: str, version: int) -> HttpResponse:
    dataset = access.readable(request, owner, slug, version)
    counts = selectors.counts(dataset["dataset"], version)
    return render(request, "catalogue/dataset.html", {"dataset": dataset, "counts": counts, "threshold": MIN_COUNT})


@persona("steward")
def register(request: HttpRequest) -> HttpResponse:
    form = RegisterForm(request.POST or None)
    if sent(request, form, services.register):
        messages.success(request, "Recorded. Researchers find the data set in the catalogue.")
        return redirect("catalogue:home")
    return page(request, "catalogue/register.html", form, {"account": selectors.has_account(settings.NODE.msp)})


@persona("steward")
def account(request: HttpRequest) -> HttpResponse:
    form = AccountForm(request.POST or None, initial={"cap": "5", "delta": "0.0001"})
    if sent(request, form, services.open_account):
        messages.success(request, "Recorded. This hospital's privacy account is open.")
        return redirect("catalogue:home")
    return page(request, "catalogue/account.html", form, {"open": selectors.has_account(settings.NODE.msp)})


@persona("researcher")
def count(request: HttpRequest, owner: str, slug: str, version: int) -> HttpResponse:
    dataset = access.readable(request, owner, slug, version)
    form = CountForm(request.POST or None)
    if sent(request, form, services.ask_for_count, dataset=dataset["dataset"], version=version):
        messages.success(request, "Recorded. The hospital answers once; the answer stays the same for this month.")
        return redirect("catalogue:dataset", owner=owner, slug=slug, version=version)
    return page(request, "catalogue/count.html", form, {"dataset": dataset})


@persona("steward")
def retire(request: HttpRequest, owner: str, slug: str, version: int) -> HttpResponse:
    dataset = access.readable(request, owner, slug, version)
    form = RetireForm(request.POST if request.method == "POST" else None)
    if sent(request, form, services.retire, dataset=dataset["dataset"], version=version):
        messages.success(request, "Recorded. No new study can use this version.")
        return redirect("catalogue:dataset", owner=owner, slug=slug, version=version)
    return page(request, "catalogue/retire.html", form, {"dataset": dataset})
