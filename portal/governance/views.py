"""What the hospitals decide together: propose, vote, execute."""

from __future__ import annotations

import uuid
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal.accounts.access import persona
from portal.governance import access, selectors, services
from portal.governance.forms import ExecuteForm, ProposeForm, VoteForm
from portal.pages import page, sent


@require_safe
@persona("steward")
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "governance/proposals.html", {"proposals": selectors.proposals()})


@persona("steward")
def propose(request: HttpRequest) -> HttpResponse:
    form = ProposeForm(request.POST or None, initial={"proposal": uuid.uuid4()})
    if sent(request, form, services.propose):
        messages.success(request, "Recorded. Each hospital has one vote.")
        return redirect("governance:home")
    return page(request, "governance/propose.html", form, {})


@require_safe
@persona("steward")
def detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    proposal = access.proposal(pk)
    voted = any(msp == settings.NODE.msp and choice for msp, _, choice in proposal["votes"])
    return render(request, "governance/proposal.html", {"proposal": proposal, "voted": voted})


@persona("steward")
def vote(request: HttpRequest, pk: UUID) -> HttpResponse:
    proposal = access.open_proposal(pk)
    form = VoteForm(request.POST or None)
    if sent(request, form, services.vote, proposal=proposal):
        messages.success(request, "Recorded. This is this hospital's vote.")
        return redirect("governance:proposal", pk=pk)
    return page(request, "governance/vote.html", form, {"proposal": proposal})


@persona("steward")
def execute(request: HttpRequest, pk: UUID) -> HttpResponse:
    proposal = access.open_proposal(pk)
    form = ExecuteForm(request.POST if request.method == "POST" else None)
    if sent(request, form, services.execute, proposal=proposal):
        messages.success(request, "Recorded. The proposal is carried out.")
        return redirect("governance:proposal", pk=pk)
    return page(request, "governance/execute.html", form, {"proposal": proposal})
