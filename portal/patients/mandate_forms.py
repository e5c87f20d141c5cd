"""The forms about mandates: the steward's, and those of whoever speaks for a patient."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from portal.accounts.forms import SignInName
from portal.forms import Form
from portal.patients import texts, words
from portal.patients.forms import PurposeForm, UnderstandForm, UntilForm
from portal.patients.models import Patient

LARGEST = 10_000_000  # bytes of a scanned document


class YesForm(UnderstandForm, PurposeForm, UntilForm):
    """A yes for somebody else, on one page: the quiz, what for (`allowed`: what the mandate reaches), how long."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["preset"].label = _("What may the record be used for?")
        self.fields["read"].label = _("I have read this")
        self.order_fields([field.name for field in self.quiz] + ["preset", "until", "read"])

    @property
    def asked(self) -> list[forms.BoundField]:
        """What is asked besides the quiz, in order."""
        return [self[name] for name in ("preset", "until", "read")]


class NoForm(Form):
    sure = forms.BooleanField(
        label=_("I say no to all research with this record"),
        error_messages={"required": _("Tick the box to say no, or go back.")},
    )

    def clean(self) -> dict[str, Any]:
        return {}


class SeenForm(Form):
    """What every act about a patient needs: which patient, and the document that was seen."""

    patient = forms.UUIDField(label="Patient number", help_text="As this hospital's store knows the patient.")
    evidence = forms.FileField(
        label="The document that you have seen, scanned",
        help_text="Its digest goes into what is signed. The file itself is not kept here.",
    )

    def clean_patient(self) -> Patient:
        found = Patient.objects.filter(pk=self.cleaned_data["patient"]).first()
        if found is None:
            raise forms.ValidationError("No patient here has this number: look it up again.")
        return found

    def clean_evidence(self) -> bytes:
        file: UploadedFile = self.cleaned_data["evidence"]
        if file.size is None or file.size > LARGEST:
            raise forms.ValidationError("This file is larger than 10 MB: scan it smaller.")
        return file.read()


class AgeForm(SeenForm):
    born = forms.DateField(label="Date of birth", widget=forms.DateInput(attrs={"type": "date"}))
    field_order = ("patient", "born", "evidence")


class AppointForm(SeenForm):
    office = forms.ChoiceField(
        label="Who speaks",
        choices=(("guardian", "A guardian, for a child"), ("representative", "A representative, for an adult")),
    )
    username = SignInName(
        label="Their sign-in name",
        help_text="A name without an account yet makes one; its password is shown once.",
    )
    called = forms.CharField(
        label="What they call the patient", max_length=60, help_text="Only they see it: a first name is enough."
    )
    until = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="A guardian's mandate ends at majority at the latest. A representative's needs a day.",
    )
    presets = forms.MultipleChoiceField(
        label="What they may agree to",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Nothing ticked: all that is offered.",
    )
    field_order = ("patient", "office", "username", "called", "until", "presets", "evidence")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        presets = self.fields["presets"]
        assert isinstance(presets, forms.MultipleChoiceField)
        presets.choices = [
            (name, label) for name, label in words.PLAIN.items() if name in texts.text(texts.current()).front.presets
        ]

    def clean_presets(self) -> tuple[str, ...]:
        return tuple(sorted(self.cleaned_data["presets"]))
