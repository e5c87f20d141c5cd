"""A patient's pages: my consent, withdraw, where my data was used, and the files to take away."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from portal.accounts.access import persona
from portal.patients import access, files, selectors, speaking, words
from portal.patients.choices import Choices
from portal.patients.models import Grant


@persona("patient")
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    patient = access.patient(request)
    grants = list(selectors.grants_of(patient))
    current = selectors.current(grants)
    earlier = [(grant, own_facts(grant)) for grant in grants if grant is not current]
    shown: dict[str, object] = {
        "speaks": request.user.mandates.exists(),  # type: ignore[union-attr]
        "said": [(grant, facts(grant)) for grant in selectors.said_for(patient)],
        "child": speaking.is_child(patient),
        "own": (own := speaking.together_now(patient, current) if current else None),
        "why_not": gettext(own.reason) if own else "",
        "grant": current,
        "facts": own_facts(current) if current else None,
        "earlier": earlier,
    }
    if current is not None:
        details = current.opened()
        lapse = selectors.lapses().get(current.text)
        shown |= {
            "meaning": words.expansion(current.preset, details.limits),
            "exactly": words.exactly(details, selectors.titles(Choices.of(details).named)),
            "old_text": words.STILL_PERMITS[lapse.still_permits] if lapse else None,
        }
    return render(request, "patients/home.html", shown)


@persona("patient")
@require_safe
def grant(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One consent. Asked for by htmx for another page, it is the state alone, polled while it is on its way."""
    found = access.grant(request, pk)
    elsewhere = request.headers.get("HX-Target", "").startswith("state-")
    if elsewhere:
        return render(request, "patients/parts/state.html", {"grant": found, "facts": own_facts(found)})
    heard = selectors.heard_by(found.commitment) if found.withdrawn_block else []
    shown = {"grant": found, "facts": own_facts(found), "heard": heard, "answer": selectors.answer(found)}
    return render(request, "patients/grant.html", shown)


@persona("patient")
@require_safe
def receipt(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = access.grant(request, pk)
    code = bytes(found.code).hex()
    grouped = " ".join(code[first : first + 4] for first in range(0, len(code), 4))
    return render(request, "patients/receipt.html", {"grant": found, "facts": own_facts(found), "code": grouped})


@persona("patient")
@require_safe
def receipt_file(request: HttpRequest, pk: UUID) -> HttpResponse:
    return download(files.receipt(access.grant(request, pk)), "receipt.json")


@persona("patient")
@require_safe
def acknowledgement(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = access.grant(request, pk)
    if found.acknowledgement is None:
        raise Http404
    return download(bytes(found.acknowledgement), "acknowledgement.json")


@persona("patient")
@require_safe
def uses(request: HttpRequest) -> HttpResponse:
    studies = selectors.uses(access.patient(request))
    context = {"studies": studies, "used_up": selectors.used_up(studies)}
    return render(request, "patients/uses.html", context)


@persona("patient")
@require_safe
def proof(request: HttpRequest, study: UUID, round_: int) -> HttpResponse:
    """The proof about the patient who asks; 404 for a round this hospital took no part in."""
    found = selectors.newest(access.patient(request), str(study), round_)
    if found is None or not selectors.committed_roots(str(study), round_):
        raise Http404
    return download(files.proof(found, str(study), round_), f"proof-round-{round_}.json")


def facts(grant: Grant) -> dict[str, Any]:
    """A grant in words, for every page that shows one."""
    colour, state = words.state(grant)
    return {
        "purpose": words.PRESETS.get(grant.preset, grant.preset),
        "from": words.month(grant.valid_from),
        "until": words.month(grant.valid_until),
        "state": state,
        "signed": words.signed(grant),
        "rekeyed": datetime.fromtimestamp(grant.rekeyed_at, UTC) if grant.rekeyed_at else None,
        "colour": colour,
    }


def own_facts(grant: Grant) -> dict[str, Any]:
    """The same, for the page of whoever said so."""
    return {**facts(grant), "signed": words.signed_by_you(grant)}


def download(data: bytes, name: str) -> HttpResponse:
    return HttpResponse(
        data, content_type="application/json", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
