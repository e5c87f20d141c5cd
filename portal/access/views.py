"""Pages about access: a researcher asks at the hub, a steward decides at the hospital."""

from __future__ import annotations

import uuid
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal.access import access, checks, selectors, services
from portal.access.forms import DecisionForm, RequestForm, RevokeForm
from portal.access.models import Protocol, Reason
from portal.accounts.access import persona
from portal.accounts.models import Role
from portal.catalogue import selectors as catalogue
from portal.pages import page, sent
from portal.withdrawals import monthly


@require_safe
@persona("steward", "researcher", "auditor")
def home(request: HttpRequest) -> HttpResponse:
    if request.user.role == Role.STEWARD:
        return render(request, "access/cases.html", {"cases": selectors.cases_of(settings.NODE.msp)})
    found = selectors.requests()
    protocols = Protocol.objects.in_bulk([one["protocol"] for one in found])
    listed = [(one, getattr(protocols.get(one["protocol"]), "text", "")) for one in found]
    shown = {"requests": listed, "overdue": selectors.overdue(settings.NODE.msp)}
    return render(request, "access/requests.html", shown)


@persona("researcher")
def new(request: HttpRequest) -> HttpResponse:
    datasets = [one for one in catalogue.datasets() if one["live"]]
    form = RequestForm(request.POST or None, initial={"request": uuid.uuid4()}, datasets=datasets)
    if sent(request, form, services.ask_for_access):
        messages.success(request, "Recorded. Each hospital decides on its own data set.")
        return redirect("access:home")
    return page(
        request, "access/new.html", form, {"datasets": datasets, "overdue": selectors.overdue(settings.NODE.msp)}
    )


@require_safe
@persona("researcher", "auditor")
def detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    body = access.readable(pk)
    protocol = Protocol.objects.filter(digest=body["protocol"]).first()
    return render(request, "access/request.html", {"body": body, "protocol": protocol})


@persona("steward")
def decide(request: HttpRequest, pk: UUID, slug: str, version: int) -> HttpResponse:
    case = access.decidable(pk, slug, version)
    form = DecisionForm(request.POST or None, initial={"until": case.latest}, latest=case.latest)
    if sent(request, form, services.decide, case=case):
        messages.success(request, "Recorded. The researcher sees the decision; the reason stays here.")
        return redirect("access:case", pk=pk, slug=slug, version=version)
    return page(request, "access/decide.html", form, {"case": case, "check": checks.checked(case)})


@require_safe
@persona("steward")
def case(request: HttpRequest, pk: UUID, slug: str, version: int) -> HttpResponse:
    found = access.own_case(pk, slug, version)
    reason = Reason.objects.filter(digest=(found.entitlement or {}).get("reason", "")).first()
    shown = {"case": found, "check": checks.checked(found), "reason": reason, "withdrawals": monthly.last()}
    return render(request, "access/case.html", shown)


@persona("steward")
def revoke(request: HttpRequest, pk: UUID, slug: str, version: int) -> HttpResponse:
    found = access.revocable(pk, slug, version)
    form = RevokeForm(request.POST if request.method == "POST" else None)
    if sent(request, form, services.revoke, case=found):
        messages.success(request, "Recorded. No round opens with this data set for this request any more.")
        return redirect("access:case", pk=pk, slug=slug, version=version)
    return page(request, "access/revoke.html", form, {"case": found})


@require_safe
def protocol(request: HttpRequest, digest: str) -> HttpResponse:
    """The text behind a digest, for whoever has the digest: stewards read it here without an account."""
    found = Protocol.objects.filter(digest=digest).first()
    if found is None:
        raise Http404
    return HttpResponse(found.text, content_type="text/plain; charset=utf-8")
