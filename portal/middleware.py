"""What every page shares: the node it belongs to, no stored copies, and refusals told in plain words."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext

from consent.errors import CovenantError
from portal import language, pages, tabs
from portal.errors import TooMany, http_status, problem
from portal.reactor import witness

log = structlog.get_logger(__name__)
HAND_IN = {"hospital": "patients:handed-in", "hub": "withdrawals:hand-in"}
PAGES = {429: "errors/429.html", 503: "errors/503.html"}
Handler = Callable[[HttpRequest], HttpResponse]


def frame(request: HttpRequest) -> dict[str, object]:
    """What is around every page: the node, the tabs of whoever is signed in, and whether the mirror is behind.

    `hand_in`: the name of the page on which anybody withdraws without an account. `ledger_fault`: the code of what is
    wrong with this node's ledger, if anything.
    """
    upper, inside = tabs.of(request)
    fault = witness.fault()
    known = witness.FAULTS.get(fault)
    return {
        "node": settings.NODE,
        "tabs": upper,
        "tabs_inside": inside,
        "languages_here": language.others(request),
        "behind": pages.behind(request),
        "hand_in": HAND_IN[settings.NODE.role],
        "ledger_fault": fault,
        "ledger_fault_words": gettext(known) if known else "",
    }


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
        return refused(request, error)


def refused(request: HttpRequest, error: CovenantError) -> HttpResponse:
    """The answer that tells of `error`, as a page or as problem+json."""
    status = http_status(error)
    log.info("refused", code=error.code, status=int(status), method=request.method)
    if request.get_preferred_type(["text/html", "application/problem+json", "application/json"]) != "text/html":
        answer: HttpResponse = JsonResponse(problem(error), status=status, content_type="application/problem+json")
    else:
        template = PAGES.get(status, "errors/refused.html")
        shown = {"error": error, "told": language.told(error), "minutes": minutes(error)}
        answer = render(request, template, shown, status=status)
    if isinstance(error, TooMany):
        answer["Retry-After"] = str(error.context["retry_after"])
    return answer


def minutes(error: CovenantError) -> int:
    """How long whoever asked too often has to wait, in whole minutes; 0 for another error."""
    return -(-int(str(error.context["retry_after"])) // 60) if isinstance(error, TooMany) else 0
