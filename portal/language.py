"""The language in which pages speak to patients, to those who speak for them and to visitors: the one that they choose.

Only the session remembers it. The staff's pages speak English.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext, gettext_noop

from consent.errors import CovenantError
from portal.accounts.models import Role

PLACE: Final = "language"  # in the session
ENGLISH: Final = "en"
NAMES: Final = {"de": "Deutsch", "en": "English"}  # as their speakers call them; consent texts may come in more
TOLD: Final = frozenset({Role.PATIENT, Role.PROXY})  # whose pages are written in each of NAMES
UNTOLD: Final = gettext_noop("This was not possible just now. Try again, or ask the hospital and tell it the code.")

Handler = Callable[[HttpRequest], HttpResponse]


class Speak:
    """Lets each page speak the language of whoever asks for it, and remembers which one they chose."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = asked(request) if chooses(request) else ENGLISH
        request.spoken = language  # type: ignore[attr-defined]  # the frame of every page says it
        with translation.override(settings.LANGUAGE_CODE if language == ENGLISH else language):
            return self.get_response(request)


def of(request: HttpRequest) -> str:
    """The language of this page, as the consent texts name it."""
    return str(getattr(request, "spoken", ENGLISH))


def chooses(request: HttpRequest) -> bool:
    """Whether this page can speak in several languages: not to staff."""
    return not request.user.is_authenticated or request.user.role in TOLD


def asked(request: HttpRequest) -> str:
    """What was chosen, on this page, which the session remembers, or on one before."""
    before = request.session.get(PLACE, ENGLISH)
    chosen = request.GET.get(PLACE, before)
    if chosen in NAMES and chosen != before:
        request.session[PLACE] = chosen
    return str(chosen) if chosen in NAMES else str(before)


def others(request: HttpRequest) -> list[tuple[str, str, str]]:
    """What else this page can be read in: (code, what its speakers call it, the page's address in it).

    Nothing where the page answers a form: asked for again, it would not say the same.
    """
    if request.method != "GET" or not hasattr(request, "spoken") or not chooses(request):
        return []
    found, query = [], request.GET.copy()
    for code, name in NAMES.items():
        query[PLACE] = code
        found.append((code, name, f"?{query.urlencode()}"))
    return [one for one in found if one[0] != of(request)]


def kept(request: HttpRequest) -> str:
    """What an address ends in so that the page speaks the language of `request`, whatever the session knows."""
    return f"?{PLACE}={of(request)}" if of(request) != ENGLISH else ""


def told(error: CovenantError) -> str:
    """What went wrong, in the language of the page: in its own words where these have been put into it."""
    words = gettext(error.message)
    if words == error.message and translation.get_language() not in (settings.LANGUAGE_CODE, ENGLISH):
        return gettext(UNTOLD)
    return words
