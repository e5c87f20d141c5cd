"""Which studies a person may reach: stewards those with their hospital's data, others all. Denied is 404."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest

from portal.access import selectors as requests
from portal.accounts.models import Role
from portal.studies import selectors


def readable(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    found = selectors.study(pk)
    if found is None or (request.user.role == Role.STEWARD and settings.NODE.msp not in found["sites"]):
        raise Http404
    return found


def approvable(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """A proposed study that this hospital has not approved yet."""
    found = readable(request, pk)
    if not waits_for(found, settings.NODE.msp):
        raise Http404
    return found


def waits_for(study: dict[str, Any], msp: str) -> bool:
    """Whether the study waits for the approval of hospital `msp`."""
    return study["status"] == "proposed" and any(place == msp and not done for place, _, done in study["approvals"])


def startable(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """A study of this institute that every hospital has approved and that is not at its end."""
    found = readable(request, pk)
    if not found["startable"] or found["sponsor"] != settings.NODE.msp:
        raise Http404
    return found


def stoppable(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    found = readable(request, pk)
    if found["status"] in ("released", "stopped") or found["sponsor"] != settings.NODE.msp:
        raise Http404
    return found


def returnable(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """An ended study that still owes this hospital results."""
    found = readable(request, pk)
    if not owes(found, settings.NODE.msp):
        raise Http404
    return found


def owes(study: dict[str, Any], msp: str) -> bool:
    return any(place == msp and not back for place, _, back in selectors.owed(study))


def closable(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """An ended study of this institute that is not closed out."""
    found = readable(request, pk)
    if found["status"] not in ("released", "stopped") or found["sponsor"] != settings.NODE.msp:
        raise Http404
    if selectors.closed_out(found):
        raise Http404
    return found


def restartable(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """An ended study of this institute."""
    found = readable(request, pk)
    if found["status"] not in ("released", "stopped") or found["sponsor"] != settings.NODE.msp:
        raise Http404
    return found


def plannable(pk: UUID) -> dict[str, Any]:
    """A request that at least one hospital has permitted."""
    found = requests.request(pk)
    if found is None or not any(case.status == "live" for case in found["cases"]):
        raise Http404
    return found


def settleable(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """An ended study of which this hospital still holds a reservation."""
    found = readable(request, pk)
    own = selectors.reservations(settings.NODE.msp)
    held = [one["study"]["study"] for one in own if one["ended"] and one["record"]["status"] == "held"]
    if found["study"] not in held:
        raise Http404
    return found
