"""Which data sets a person may reach: stewards their own hospital's, researchers and auditors all. Denied is 404."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest

from portal.accounts.models import Role
from portal.catalogue import selectors


def readable(request: HttpRequest, owner: str, slug: str, version: int) -> dict[str, Any]:
    """The data set version, or 404: unknown, or of another hospital when a steward asks."""
    if request.user.role == Role.STEWARD and owner != settings.NODE.msp:
        raise Http404
    found = selectors.dataset(f"{owner}/{slug}", version)
    if found is None:
        raise Http404
    return found
