"""The language in which a patient's pages speak: that of the text they read. Only the session remembers it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation

PLACE: Final = "language"  # in the session
SPOKEN: Final = frozenset({"de", "en"})  # those that the pages are written in; texts may come in more

View = Callable[..., HttpResponse]


def asked(request: HttpRequest) -> str:
    """What the patient chose, on this page or on one before; as the consent texts name it."""
    chosen = request.GET.get(PLACE) or request.session.get(PLACE) or "en"
    return chosen if chosen in SPOKEN else "en"


def in_their_language(view: View) -> View:
    """Let `view` speak the patient's language, and remember which that is."""

    @wraps(view)
    def spoken(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        language = asked(request)
        if language != request.session.get(PLACE, "en"):
            request.session[PLACE] = language
        request.spoken = language  # type: ignore[attr-defined]  # the frame of every page says it
        with translation.override(settings.LANGUAGE_CODE if language == "en" else language):
            return view(request, *args, **kwargs)

    return spoken
