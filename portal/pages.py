"""What every page that sends something to the ledger does: ask, try, and say what was refused beside the form.

form = DecisionForm(request.POST or None)
if sent(request, form, services.decide, case=case):
    return redirect("access:list")
return page(request, "access/decide.html", form, {"case": case})
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from consent.errors import CovenantError
from portal import language
from portal.reactor import selectors as mirror

PATIENCE = 2.0  # seconds that a page waits for its own transaction to arrive in the mirror
RECORDED = "recorded"  # in the session: the newest block that this person's acts stand in, until the mirror has it


@dataclass(frozen=True, slots=True)
class Behind:
    """What was recorded in block `recorded` does not show yet: this node has read the ledger up to `reached`."""

    recorded: int
    reached: int


def sent(request: HttpRequest, form: Form, service: Callable[..., Any], /, **fixed: object) -> bool:
    """True when `form` was filled in rightly and `service(**fixed, **answers)` was taken by the ledger.

    A refusal of the ledger or of the service becomes the form's error: its message, and its code for whoever asks for
    help. A service that returns a committed transaction is waited for in the mirror, so that the next page shows it;
    while the mirror has not come so far, every page says so (`behind`).
    """
    if not form.is_bound or not form.is_valid():
        return False
    try:
        outcome = service(**fixed, **form.cleaned_data)
    except CovenantError as refusal:
        form.add_error(None, f"{language.told(refusal)} ({refusal.code})")
        return False
    block = getattr(outcome, "block", None)
    if block is not None and not arrived(block):
        request.session[RECORDED] = max(block, request.session.get(RECORDED, 0))
    return True


def arrived(block: int) -> bool:
    """Whether the mirror reaches `block`, now or within PATIENCE."""
    until = time.monotonic() + PATIENCE
    while mirror.height() < block:
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)
    return True


def behind(request: HttpRequest) -> Behind | None:
    """How far the mirror is from what this person had recorded; None once it shows that."""
    recorded = request.session.get(RECORDED) if hasattr(request, "session") else None
    if recorded is None:
        return None
    reached = mirror.height()
    if reached < recorded:
        return Behind(recorded, reached)
    del request.session[RECORDED]
    return None


def page(request: HttpRequest, template: str, form: Form, context: Mapping[str, Any]) -> HttpResponse:
    """The page with its form: 200 when asked for, 422 when an answer has to be mended."""
    return render(request, template, {**context, "form": form}, status=422 if form.is_bound else 200)
