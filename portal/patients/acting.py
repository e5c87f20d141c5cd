"""Speaking for somebody: for whom, what was said, taking it back. Nothing else of the patient shows."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from portal.accounts.access import persona
from portal.patients import access, files, impact, mandates, passkeys, selectors, speaking, withdrawing, words
from portal.patients.choices import Choices
from portal.patients.models import Mandate
from portal.patients.views import download, own_facts

OF_SEVERAL = ("voices.", "age.", "mandate.")  # rules whose reasons speak of the patient, not to them


@persona("patient", "proxy")
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    held = Mandate.objects.filter(account_id=request.user.pk).select_related("patient")
    return render(request, "patients/acting.html", {"held": [(one, speaking.in_force(one)) for one in held]})


@persona("patient", "proxy")
@require_safe
def one(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What I said for one patient, and whether everybody agrees: who else spoke is not shown."""
    mandate = access.mandate(request, pk)
    grants = list(mandate.grants.defer("secret", "code"))
    current = next((grant for grant in grants if grant.stands), None)
    shown = {
        "mandate": mandate,
        "in_force": speaking.in_force(mandate),
        "passkey": passkeys.active(mandate),
        "takes_passkeys": passkeys.party() is not None,
        "grant": current,
        "facts": own_facts(current) if current else None,
        "said_no": current is not None and speaking.says_no(current),
        "earlier": [(grant, own_facts(grant)) for grant in grants if grant is not current],
    }
    if current is not None:
        details = current.opened()
        shown["meaning"] = words.expansion(current.preset, details.limits)
        shown["exactly"] = words.exactly(details, selectors.titles(Choices.of(details).named))
    if shown["in_force"]:
        preset = current.preset if current else mandates.offered(mandate)[0]
        shown["together"] = decision = speaking.said(mandate.patient, preset).decision
        shown["reason"] = gettext(decision.reason) if decision.rule.startswith(OF_SEVERAL) else ""
    return render(request, "patients/acting_for.html", shown)


@persona("patient", "proxy")
def take_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What stops, then take back what I said, also when my right to speak has ended since: less is always allowed."""
    grant = access.said(request, pk)
    if grant.patient_withdrew:
        return redirect("patients:acting-for", pk=grant.mandate_id)
    problem = withdrawing.stopped(request, grant)
    if problem is None:
        return redirect("patients:acting-for", pk=grant.mandate_id)
    shown = {
        "grant": grant,
        "mandate": grant.mandate,
        "said_no": speaking.says_no(grant),
        "in_part": grant.stands and not speaking.says_no(grant) and speaking.in_force(grant.mandate),
        "impact": impact.of_giver(grant),
        "rule": withdrawing.rule(grant),
        "options": passkeys.withdrawal_options(grant),
        "problem": problem,
    }
    return render(request, "patients/acting_back.html", shown, status=422 if problem else 200)


@persona("patient", "proxy")
@require_safe
def uses(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Where the record was used on my word. Rounds that rest on another's word, or not in my time, are not shown."""
    mandate = access.mandate(request, pk)
    studies = selectors.said_uses(mandate)
    context = {"mandate": mandate, "studies": studies, "used_up": selectors.used_up(studies)}
    return render(request, "patients/acting_uses.html", context)


@persona("patient", "proxy")
@require_safe
def proof(request: HttpRequest, pk: UUID, study: UUID, round_: int) -> HttpResponse:
    """The proof about a round that `uses` shows; it opens what I said, and nothing that others did."""
    found = selectors.newest_said(access.mandate(request, pk), str(study), round_)
    if found is None:
        raise Http404
    return download(files.proof(found, str(study), round_), f"proof-round-{round_}.json")


@persona("patient", "proxy")
@require_safe
def receipt(request: HttpRequest, pk: UUID) -> HttpResponse:
    return download(files.receipt(access.said(request, pk)), "receipt.json")


@persona("patient", "proxy")
@require_safe
def acknowledgement(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = access.said(request, pk)
    if found.acknowledgement is None:
        raise Http404
    return download(bytes(found.acknowledgement), "acknowledgement.json")
