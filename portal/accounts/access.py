"""Who may see a page. Signed out: the sign-in page. Signed in as somebody else: 404, as if there were no such page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse

from portal.accounts.models import ROLES_OF

View = Callable[..., HttpResponse]


def persona(*roles: str) -> Callable[[View], View]:
    """Let accounts with one of `roles` in, where this node has such accounts at all.

    >>> @persona("steward")
    ... def page(request): ...
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            role = request.user.role  # type: ignore[union-attr]  # login_required stands outside
            if role not in roles or role not in ROLES_OF[settings.NODE.role]:
                raise Http404
            return view(request, *args, **kwargs)

        guarded.personas = roles  # type: ignore[attr-defined]  # the permission matrix reads it
        return login_required(guarded)

    return decorate
