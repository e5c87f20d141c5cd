"""Which proposals there are, and which still stand open. Everything else is 404."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404

from portal.governance import selectors


def proposal(pk: UUID) -> dict[str, Any]:
    found = selectors.proposal(pk)
    if found is None:
        raise Http404
    return found


def open_proposal(pk: UUID) -> dict[str, Any]:
    """A proposal that can still be voted on or executed, or 404."""
    found = proposal(pk)
    if not found["open"]:
        raise Http404
    return found
