"""The pages for a key that a patient keeps in a file: setting it up, and what it signs. No script is needed."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from portal import pages
from portal.accounts.access import persona
from portal.forms import Form
from portal.patients import access, device_keys, passkey_setup, passkeys
from portal.patients.models import Grant, KeyKind
from portal.patients.views import download


class KeyForm(Form):
    key = forms.CharField(
        label=_("Your public key"),
        max_length=device_keys.LONGEST,
        help_text=_("The line that covenant consent new-key printed."),
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": _("Copy the whole line that your own tool printed.")},
    )


@persona("patient")
def key(request: HttpRequest) -> HttpResponse:
    """A key that I keep in a file, for those who want no passkey: its public half is set up here."""
    patient = access.patient(request)
    form = KeyForm(request.POST or None)
    if pages.sent(request, form, passkey_setup.register_device, patient=patient):
        messages.success(request, gettext("Your key is set up. It signs what you allow and what you stop."))
        return redirect("patients:passkey")
    if passkeys.of(patient).filter(lost=None).exists():
        return redirect("patients:passkey")
    return pages.page(request, "patients/device_key.html", form, {})


@persona("patient")
@require_safe
def file_to_sign(request: HttpRequest) -> HttpResponse:
    """The file to sign for what the page before showed; 404 where nothing waits."""
    found = device_keys.to_sign(access.patient(request))
    if found is None:
        raise Http404
    return download(found, "to-sign.json")


@persona("patient")
@require_safe
def file_to_withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    grant = access.grant(request, pk)
    if grant.patient_withdrew or not to_withdraw(grant):
        raise Http404
    return download(device_keys.to_withdraw(grant), "to-sign.json")


def to_sign(signer: passkeys.Signer) -> str:
    """The address of the file that a key in a file signs; empty for whoever has no such key."""
    return reverse("patients:to-sign") if passkeys.by_file(signer) else ""


def to_withdraw(grant: Grant) -> str:
    """The address of the file with which a key in a file withdraws `grant`; empty where none can."""
    key = passkeys.withdraws(grant)
    return reverse("patients:to-withdraw", args=[grant.pk]) if key and key.kind == KeyKind.DEVICE else ""
