"""Speaking for somebody: for whom, saying yes or no, taking it back. Nothing else of the patient shows."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal import pages
from portal.accounts.access import persona
from portal.patients import access, files, mandates, services, speaking, texts
from portal.patients.mandate_forms import NoForm, YesForm
from portal.patients.models import Grant, Mandate
from portal.patients.views import download, facts


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
        "grant": current,
        "facts": facts(current) if current else None,
        "said_no": current is not None and says_no(current),
        "earlier": [(grant, facts(grant)) for grant in grants if grant is not current],
    }
    if shown["in_force"]:
        shown["together"] = speaking.said(
            mandate.patient, current.preset if current else mandates.offered(mandate)[0]
        ).decision
    return render(request, "patients/acting_for.html", shown)


@persona("patient", "proxy")
def yes(request: HttpRequest, pk: UUID) -> HttpResponse:
    mandate = speaking_mandate(request, pk)
    text = texts.text(texts.current())
    form = YesForm(request.POST or None, questions=text.front.quiz, allowed=mandates.offered(mandate))

    def say(*, preset: str, until: str, **_: object) -> Grant:
        access.GIVING.count(str(mandate.pk))
        wish = services.Wish(mandate.patient, preset, services.this_month(), until)
        return mandates.speak(mandate=mandate, wish=wish, text=text.id, language=text.language)

    if pages.sent(request, form, say):
        return redirect("patients:acting-for", pk=pk)
    return pages.page(
        request, "patients/acting_yes.html", form, {"mandate": mandate, "text": text, "html": texts.html(text)}
    )


@persona("patient", "proxy")
def no(request: HttpRequest, pk: UUID) -> HttpResponse:
    mandate = speaking_mandate(request, pk)
    text = texts.text(texts.current())
    form = NoForm(request.POST or None)

    def say() -> Grant:
        access.GIVING.count(str(mandate.pk))
        return mandates.speak(mandate=mandate, wish=None, text=text.id, language=text.language)

    if pages.sent(request, form, say):
        return redirect("patients:acting-for", pk=pk)
    return pages.page(request, "patients/acting_no.html", form, {"mandate": mandate})


@persona("patient", "proxy")
def take_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take back what I said, also when my right to speak has ended since: less is always allowed."""
    grant = access.said(request, pk)
    if grant.patient_withdrew:
        return redirect("patients:acting-for", pk=grant.mandate_id)
    if request.method == "POST":
        services.withdraw(grant=grant)
        return redirect("patients:acting-for", pk=grant.mandate_id)
    return render(request, "patients/acting_back.html", {"grant": grant, "mandate": grant.mandate})


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


def speaking_mandate(request: HttpRequest, pk: UUID) -> Mandate:
    """One of my mandates under which I may speak now; 404 otherwise."""
    mandate = access.mandate(request, pk)
    if not speaking.in_force(mandate):
        raise Http404
    return mandate


def says_no(grant: Grant) -> bool:
    return bool(grant.opened().limits.denied)
