"""A steward's first page."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.accounts.access import persona
from portal.desk import selectors
from portal.studies import selectors as studies


@require_safe
@persona("steward")
def home(request: HttpRequest) -> HttpResponse:
    shown = {"kinds": selectors.waiting(settings.NODE.msp), "paused": studies.paused(settings.NODE.msp)}
    return render(request, "desk/home.html", shown)
