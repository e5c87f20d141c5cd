"""What every page that sends something to the ledger does: ask, try, and say what was refused beside the form.

form = DecisionForm(request.POST or None)
if sent(form, services.decide, case=case):
    return redirect("access:list")
return page(request, "access/decide.html", form, {"case": case})
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from consent.errors import CovenantError
from portal.reactor import selectors as mirror

PATIENCE = 2.0  # seconds that a page waits for its own transaction to arrive in the mirror


def sent(form: Form, service: Callable[..., Any], **fixed: object) -> bool:
    """True when `form` was filled in rightly and `service(**fixed, **answers)` was taken by the ledger.

    A refusal of the ledger or of the service becomes the form's error: its message, and its code for whoever asks for
    help. A service that returns a committed transaction is waited for in the mirror, so that the next page shows it.
    """
    if not form.is_bound or not form.is_valid():
        return False
    try:
        outcome = service(**fixed, **form.cleaned_data)
    except CovenantError as refusal:
        form.add_error(None, f"{refusal.message} ({refusal.code})")
        return False
    wait_for(getattr(outcome, "block", None))
    return True


def wait_for(block: int | None) -> None:
    """Return when the mirror has reached `block`, or after PATIENCE: then the page shows the older state."""
    until = time.monotonic() + PATIENCE
    while block is not None and mirror.height() < block and time.monotonic() < until:
        time.sleep(0.05)


def page(request: HttpRequest, template: str, form: Form, context: Mapping[str, Any]) -> HttpResponse:
    """The page with its form: 200 when asked for, 422 when an answer has to be mended."""
    return render(request, template, {**context, "form": form}, status=422 if form.is_bound else 200)
