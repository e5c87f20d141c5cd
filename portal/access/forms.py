"""Purposes, access requests and decisions, as people write them."""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.html import escape
from msgspec.structs import replace

from consent import diseases, duo
from consent.errors import ConsentError
from consent.purpose import TO_ACCEPT, Asking, Ethics, Purpose
from portal.catalogue.selectors import seat_words
from portal.errors import sentence
from portal.forms import Form, by_subject

LONGEST = 730  # days: the longest entitlement the contracts allow


HOW = {
    "commercial": "The results will be used for gain",
    "for_profit": "The organisation that asks works for profit",
    "methods": "It also develops general methods, beyond the diseases named",
    "ancestry": "It touches population origins or ancestry",
    "genetic": "It is a genetic study",
}


class DayField(forms.DateField):
    """A day, chosen from a calendar where the browser has one."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class PurposeForm(Form):
    """A purpose in DUO and MONDO terms. Ancestry research is left out: the contracts refuse it."""

    permission = forms.ChoiceField(label="Kind of research", help_text="The main term of the Data Use Ontology (DUO).")
    diseases = forms.MultipleChoiceField(
        label="Diseases",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Only for disease specific research: what it is about (MONDO).",
    )
    how = forms.MultipleChoiceField(
        label="What is true of this research",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=list(HOW.items()),
        help_text="What is not ticked is promised not to be so.",
    )

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.fields["permission"].choices = term_choices(duo.DS, duo.HMB, duo.GRU)
        self.fields["diseases"].choices = disease_choices()

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        require_diseases(self, answers)
        kind, wanted, how = (answers.pop(name, None) for name in ("permission", "diseases", "how"))
        if not self.errors:
            answers["purpose"] = Purpose.of(kind, wanted, **{name: name in how for name in HOW})
        return answers


class RequestForm(PurposeForm):
    """A request for access to one or more data sets."""

    request = forms.UUIDField(widget=forms.HiddenInput)  # the form's own name: sent twice, it asks once
    datasets = forms.MultipleChoiceField(
        label="Data sets",
        widget=forms.CheckboxSelectMultiple,
        help_text="Each hospital decides on its own.",
    )
    until = DayField(
        label="Until",
        help_text="At most two years from today. Access always ends.",
    )
    protocol = forms.CharField(
        label="Protocol",
        widget=forms.Textarea(attrs={"rows": 12}),
        max_length=200_000,
        help_text="What you want to find out, and how. Its digest goes on the ledger; who has the digest can read it.",
    )

    countries = forms.CharField(
        label="Countries",
        required=False,
        help_text="Where your organisation works, its own country among them: two-letter codes, with commas. Leave it "
        "empty for the one country that the consortium's members hold; each hospital's is added.",
    )
    users = forms.CharField(label="Who will use it", required=False, help_text="Their ids, such as ORCID, with commas.")
    project = forms.CharField(label="Project", required=False, help_text="Its id, where one was approved.")
    ethics_document = forms.RegexField(
        r"\A[0-9a-f]{64}\Z",
        label="Ethics approval",
        required=False,
        help_text="The SHA-256 of the document, 64 characters; sha256sum prints it.",
        error_messages={"invalid": "Write the 64 characters that sha256sum prints, 0 to 9 and a to f."},
    )
    ethics_until = DayField(
        label="Ethics approval valid until",
        required=False,
    )
    accepts = forms.MultipleChoiceField(
        label="What you accept",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Obligations that a data set's terms may name.",
    )
    publishes_from = DayField(
        label="Results published from",
        required=False,
        help_text="The earliest day. Some data sets have an embargo.",
    )

    everybody = ("datasets", "permission", "diseases", "how", "until", "protocol")
    some = ("countries", "users", "project", "ethics_document", "ethics_until", "accepts", "publishes_from")
    field_order = ("request", *everybody, *some)

    def __init__(self, *args: Any, datasets: list[dict[str, Any]], **named: Any) -> None:
        super().__init__(*args, **named)
        self.fields["how"].help_text += f" {escape(seat_words(settings.NODE.msp))}"
        self.fields["accepts"].choices = term_choices(*sorted(TO_ACCEPT))
        self.fields["datasets"].choices = [
            (f"{one['dataset']}@{one['version']}", f"{one['title']}, {one['owner_title']} (version {one['version']})")
            for one in datasets
        ]

    @property
    def first(self) -> list[forms.BoundField]:
        return [self[name] for name in self.everybody]

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField], bool]]:
        """What only some data sets' terms ask for."""
        return by_subject(self, [("What some data sets' terms ask for: countries, users, ethics approval", self.some)])

    def clean(self) -> dict[str, Any]:
        answers = super().clean()
        said = {name: answers.pop(name, None) for name in self.some}
        if bool(said["ethics_document"]) != bool(said["ethics_until"]):
            self.add_error("ethics_until", "Give both the document's SHA-256 and its last day, or neither.")
        if not self.errors:
            try:
                answers["purpose"] = replace(answers["purpose"], asking=asking_of(said))
            except ConsentError as error:
                self.add_error(ASKED.get(error.code), sentence(error))
        return answers

    def clean_datasets(self) -> list[dict[str, Any]]:
        pairs = (choice.rsplit("@", 1) for choice in self.cleaned_data["datasets"])
        return [{"dataset": dataset, "version": int(version)} for dataset, version in sorted(pairs)]

    def clean_until(self) -> datetime.date:
        return within_two_years(self.cleaned_data["until"])


class DecisionForm(Form):
    """One hospital's answer for one of its data sets."""

    verdict = forms.ChoiceField(
        label="Decision",
        widget=forms.RadioSelect,
        choices=[("permit", "Permit"), ("deny", "Deny")],
    )
    until = DayField(
        label="Until",
        help_text="Not later than asked for.",
    )
    reason = forms.CharField(
        label="Reason",
        widget=forms.Textarea(attrs={"rows": 5}),
        max_length=20_000,
        help_text="Kept at this hospital. Its digest goes on the ledger.",
    )

    def __init__(self, *args: Any, latest: datetime.date, **named: Any) -> None:
        super().__init__(*args, **named)
        self.latest = latest

    def clean_until(self) -> datetime.date:
        until = within_two_years(self.cleaned_data["until"])
        if until > self.latest:
            raise forms.ValidationError(
                f"The request asks for access until {self.latest}: choose that day or an earlier one."
            )
        return until


class RevokeForm(Form):
    """Nothing to say: the button is the answer."""


ASKED = {"purpose.country": "countries", "purpose.accepts": "accepts"}  # the field that a refusal is about


def asking_of(said: dict[str, Any]) -> Asking:
    """Who asks, from a request form's answers; raises ConsentError `purpose.*`."""
    ethics = said["ethics_document"] and Ethics(
        document=said["ethics_document"], until=said["ethics_until"].isoformat()
    )
    return Asking(
        institution=settings.NODE.msp,
        users=listed(said["users"]),
        project=(said["project"] or "").strip(),
        countries=listed(said["countries"]),
        ethics=ethics or None,
        accepts=tuple(sorted(said["accepts"] or ())),
        publishes_from=said["publishes_from"].isoformat() if said["publishes_from"] else None,
    )


def listed(written: str | None) -> tuple[str, ...]:
    """What stands between the commas, sorted, each once."""
    return tuple(sorted({part.strip() for part in (written or "").split(",")} - {""}))


def within_two_years(day: datetime.date) -> datetime.date:
    today = timezone.now().date()
    if not today <= day <= today + datetime.timedelta(days=LONGEST):
        raise forms.ValidationError(f"Choose a day from {today} to {today + datetime.timedelta(days=LONGEST)}.")
    return day


def require_diseases(form: forms.Form, answers: dict[str, Any]) -> None:
    """Disease specific research names diseases, and nothing else does."""
    specific = answers.get("permission") == duo.DS
    if specific and not answers.get("diseases"):
        form.add_error("diseases", "Disease specific research needs at least one disease.")
    if not specific and answers.get("diseases"):
        form.add_error("diseases", "Only disease specific research names diseases: choose it, or no disease.")


def term_choices(*codes: str) -> list[tuple[str, str]]:
    return [(code, f"{duo.term(code).label} ({duo.term(code).shorthand})") for code in codes]


def disease_choices() -> list[tuple[str, str]]:
    return [(one.code, f"{one.label} ({one.code})") for one in diseases.DISEASES.values()]
