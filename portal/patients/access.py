"""Which rows a signed-in patient may reach: their own. Everything else is 404, whether or not it exists."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from portal.limits import Limit
from portal.patients import speaking
from portal.patients.models import Grant, HandedIn, Mandate, Patient

HANDED = "handed-in"
GIVING = Limit("giving", 20, 3600)  # consents a patient; a withdrawal needs one that stands, and is never counted


def patient(request: HttpRequest) -> Patient:
    """The patient behind the account; 404 for an account without one."""
    return get_object_or_404(Patient.objects.defer("sealed_records"), account_id=request.user.pk)


def grant(request: HttpRequest, pk: UUID) -> Grant:
    """One of the grants that the patient signed."""
    return get_object_or_404(Grant, pk=pk, patient__account_id=request.user.pk, mandate=None)


def mandate(request: HttpRequest, pk: UUID) -> Mandate:
    """One of the signed-in person's own mandates, also one that is over."""
    return get_object_or_404(Mandate.objects.select_related("patient"), pk=pk, account_id=request.user.pk)


def said(request: HttpRequest, pk: UUID) -> Grant:
    """A grant that the signed-in person gave for somebody else."""
    return get_object_or_404(
        Grant.objects.select_related("mandate", "patient"), pk=pk, mandate__account_id=request.user.pk
    )


def standing_grant(request: HttpRequest, pk: UUID) -> Grant:
    """One of the patient's own grants that can still be changed or withdrawn."""
    found = grant(request, pk)
    if not found.stands:
        raise Http404
    return found


def standing_said(request: HttpRequest, pk: UUID) -> Grant:
    """A yes that the signed-in person gave for somebody else, and that can still be made smaller."""
    found = said(request, pk)
    if not found.stands or found.mandate is None or speaking.says_no(found) or not speaking.in_force(found.mandate):
        raise Http404
    return found


def handed_in(request: HttpRequest, pk: UUID) -> HandedIn:
    """A withdrawal that this very browser session handed in."""
    if str(pk) not in request.session.get(HANDED, []):
        raise Http404
    return get_object_or_404(HandedIn, pk=pk)
