"""Which cases a steward may decide: those about the own hospital's data sets. Denied is 404."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404

from portal.access import selectors


def readable(pk: UUID) -> dict[str, Any]:
    """A request as the researchers' institute sees it."""
    found = selectors.request(pk)
    if found is None:
        raise Http404
    return found


def own_case(pk: UUID, slug: str, version: int) -> selectors.Case:
    """One case of the steward's own hospital, or 404."""
    found = selectors.request(pk)
    dataset = f"{settings.NODE.msp}/{slug}"
    for case in found["cases"] if found else []:
        if (case.dataset["dataset"], case.dataset["version"]) == (dataset, version):
            return case
    raise Http404


def decidable(pk: UUID, slug: str, version: int) -> selectors.Case:
    """A case that still waits for this hospital's answer, or 404."""
    case = own_case(pk, slug, version)
    if case.status != "waiting":
        raise Http404
    return case


def revocable(pk: UUID, slug: str, version: int) -> selectors.Case:
    """A case whose entitlement is live, or 404."""
    case = own_case(pk, slug, version)
    if case.status != "live":
        raise Http404
    return case
