"""The hospital's desk: a patient's way to sign in, a consent taken down on paper, a lost passkey."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from portal import pages
from portal.accounts.access import persona
from portal.accounts.forms import SignInName
from portal.errors import PortalError
from portal.forms import Form
from portal.patients import passkey_setup, passkeys, selectors, services, texts
from portal.patients.forms import PurposeForm, UntilForm
from portal.patients.models import Patient
from portal.patients.views import facts

LARGEST = 20_000_000  # bytes of a scan


class FindForm(Form):
    record = forms.CharField(
        label="The number of the patient's record",
        max_length=200,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Type the number of a record in one of this hospital's data sets."},
    )


class AccountForm(Form):
    username = SignInName(
        label="The name that the patient signs in with",
        help_text="Not the patient's own name, nor the number of a record.",
    )


class PaperForm(PurposeForm, UntilForm):
    """What the signed paper says, and the scan of it."""

    scan = forms.FileField(
        label="The scanned paper",
        help_text="Only its fingerprint is kept here. Keep paper and scan in the patient's file.",
        error_messages={"required": "Choose the scan of the paper that the patient signed."},
    )
    seen = forms.BooleanField(
        label="The patient, or whoever speaks for the patient, signed this paper and had it read out, if wanted",
        error_messages={"required": "Take it down only where somebody signed."},
    )

    def clean_scan(self) -> str:
        """The digest (hex) of the scan."""
        scan = self.cleaned_data["scan"]
        if scan.size > LARGEST:
            raise forms.ValidationError("This file is larger than 20 MB: scan it again, in a lower resolution.")
        return sha256(scan.read()).hexdigest()


@persona("steward")
def find(request: HttpRequest) -> HttpResponse:
    """Find a patient by the number of a record, which stays out of addresses and logs."""
    form = FindForm(request.POST or None)
    if form.is_valid():
        found = selectors.patient_of(form.cleaned_data["record"].strip())
        if found is not None:
            return redirect("patients:desk-patient", pk=found.pk)
        form.add_error("record", "No patient of this hospital has a record of this number.")
    return render(request, "patients/desk.html", {"form": form}, status=422 if form.is_bound else 200)


@persona("steward")
@require_safe
def patient(request: HttpRequest, pk: UUID) -> HttpResponse:
    return render(request, "patients/desk_patient.html", about(pk))


@persona("steward")
def paper(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A consent on paper: attested by this hospital, bound to the scan."""
    found = get_object_or_404(Patient, pk=pk)
    form = PaperForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        said = form.cleaned_data
        try:
            services.give(
                patient=found,
                preset=said["preset"],
                valid_from=services.this_month(),
                valid_until=said["until"],
                how=said["scan"],
            )
        except PortalError as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "Taken down. It counts as soon as the ledger has recorded it.")
            return redirect("patients:desk-patient", pk=pk)
    shown = {"form": form, "patient": found, "text": texts.text(texts.current())}
    return render(request, "patients/desk_paper.html", shown, status=422 if form.is_bound else 200)


@persona("steward")
def account(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let a patient sign in: a name, and a password that is shown once."""
    found = get_object_or_404(Patient.objects.defer("sealed_records"), pk=pk)
    if found.account_id is not None:
        return redirect("patients:desk-patient", pk=pk)
    form = AccountForm(request.POST or None)
    passwords: list[str] = []

    def opened(username: str) -> None:
        passwords.append(services.open_account(patient=found, username=username))

    if pages.sent(request, form, opened):
        shown = {"patient": found, "username": form.cleaned_data["username"], "password": passwords[0]}
        return render(request, "patients/desk_account_open.html", shown)
    return pages.page(request, "patients/desk_account.html", form, {"patient": found})


@persona("steward")
def lost(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Note that a passkey is lost; the patient sets up the next one, on their own device."""
    shown = about(pk)
    if shown["passkey"] is None:
        return redirect("patients:desk-patient", pk=pk)
    if request.method == "POST":
        passkey_setup.lose(signer=get_object_or_404(Patient, pk=pk))
        messages.success(request, "Noted as lost. It signs nothing any more; the patient can set up another one.")
        return redirect("patients:desk-patient", pk=pk)
    return render(request, "patients/desk_lost.html", shown)


def about(pk: UUID) -> dict[str, object]:
    found = get_object_or_404(Patient.objects.select_related("account").defer("sealed_records"), pk=pk)
    grants = list(selectors.grants_of(found))
    current = selectors.current(grants)
    return {
        "patient": found,
        "grant": current,
        "facts": facts(current) if current else None,
        "passkey": passkeys.of(found).filter(lost=None).first(),
        "past": list(passkeys.of(found).exclude(lost=None)),
    }
