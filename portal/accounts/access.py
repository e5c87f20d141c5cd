"""Who may see a page. Signed out: the sign-in page. Signed in as somebody else: 404, as if there were no such page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse

View = Callable[..., HttpResponse]


def persona(*roles: str) -> Callable[[View], View]:
    """Let accounts with one of `roles` in.

    >>> @persona("steward")
    ... def page(request): ...
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.role not in roles:  # type: ignore[union-attr]  # login_required stands outside
                raise Http404
            return view(request, *args, **kwargs)

        guarded.personas = roles  # type: ignore[attr-defined]  # the permission matrix reads it
        return login_required(guarded)

    return decorate
