"""What every page shares: the node it belongs to, no stored copies, and refusals told in plain words."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from consent.errors import CovenantError
from portal.errors import http_status, problem

log = structlog.get_logger(__name__)
Handler = Callable[[HttpRequest], HttpResponse]


def node(request: HttpRequest) -> dict[str, object]:
    """The node of this page, for templates."""
    return {"node": settings.NODE}


class PrivatePages:
    """Pages of people who are signed in are not kept: a shared computer's back button must not show a consent."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store"
        return response


class Refusals:
    """A CovenantError that reaches the edge is a page, or problem+json for those who ask for JSON. Nothing else is."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, CovenantError):
            return None
        status = http_status(error)
        log.info("refused", code=error.code, status=int(status), method=request.method)
        if request.get_preferred_type(["text/html", "application/problem+json", "application/json"]) != "text/html":
            return JsonResponse(problem(error), status=status, content_type="application/problem+json")
        template = "errors/503.html" if status == 503 else "errors/refused.html"
        return render(request, template, {"error": error}, status=status)
