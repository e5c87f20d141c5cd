"""The auditor's pages: how the chain stands, what was refused or aborted, and the whole ledger to take away."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.accounts.access import persona
from portal.audit import selectors, services


@require_safe
@persona("auditor")
def home(request: HttpRequest) -> HttpResponse:
    context = {"chain": services.chain(), "followed": selectors.followed(), "latest": selectors.latest()}
    return render(request, "audit/home.html", context)


@require_safe
@persona("auditor")
def refused(request: HttpRequest) -> HttpResponse:
    context = {
        "aborted": selectors.aborted(),
        "denied": selectors.denied(),
        "invalid": services.invalid(),
        "scanned": services.SCANNED,
    }
    return render(request, "audit/refused.html", context)


@require_safe
@persona("auditor")
def verify(request: HttpRequest) -> HttpResponse:
    return render(request, "audit/verify.html", {"chain": services.chain()})


@require_safe
@persona("auditor")
def download(request: HttpRequest) -> HttpResponse:
    """The whole ledger as one file, as `covenant ledger export` writes it."""
    return services.exported()
