"""What a steward says about a data set, and what a researcher asks of one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django import forms

from consent import duo
from consent.errors import ConsentError
from consent.terms import KINDS, LONGEST_VALUE, Condition
from portal.access.forms import PurposeForm, disease_choices, require_diseases, term_choices
from portal.catalogue import manifests
from portal.errors import sentence
from portal.forms import Form, by_subject


class RegisterForm(Form):
    """One file of this node, under which terms it may be used. The numbers come from the file itself."""

    file = forms.ChoiceField(label="File", help_text="A CSV in this hospital's records folder. It stays where it is.")
    slug = forms.RegexField(
        r"\A[a-z0-9][a-z0-9-]{0,40}\Z",
        label="Short name",
        help_text="Lower-case letters, digits and hyphens. It stands in the data set's address for ever.",
        error_messages={"invalid": "Use lower-case letters, digits and hyphens only, for example heart-disease."},
    )
    title = forms.CharField(label="Title", max_length=120, help_text="What a researcher reads in the catalogue.")
    permission = forms.ChoiceField(label="May be used for", help_text="The data set's own main term (DUO).")
    diseases = forms.MultipleChoiceField(
        label="Diseases",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Only for disease specific research: which diseases (MONDO).",
    )
    modifiers = forms.MultipleChoiceField(
        label="Further conditions",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="DUO modifiers, and COVENANT terms of our own. Some need a value, below.",
    )

    values: ClassVar = {f"value_{duo.term(code).shorthand}": code for code in KINDS}

    seed = forms.IntegerField(widget=forms.HiddenInput, initial=42, min_value=0, max_value=2**32 - 1)

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.fields["file"].choices = [(name, name) for name in manifests.files()]
        self.fields["permission"].choices = [("", "Choose"), *term_choices(*duo.PERMISSIONS)]  # never by default
        self.fields["modifiers"].choices = term_choices(*duo.CONDITIONS)
        for name, code in self.values.items():
            known = duo.term(code)
            self.fields[name] = forms.CharField(
                label=f"Value of {known.shorthand}",
                required=False,
                max_length=LONGEST_VALUE,
                help_text=f"Only for {known.label}: {KINDS[code].words}{', with commas' * KINDS[code].several}.",
            )
        self.fields["diseases"].choices = disease_choices()

    @property
    def first(self) -> list[forms.BoundField]:
        return [one for one in self.visible_fields() if one.name not in self.values]

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField], bool]]:
        """What only some of the conditions need."""
        return by_subject(self, [("Values of conditions: countries, institutions, months", tuple(self.values))])

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        require_diseases(self, answers)
        answers["conditions"] = self._conditions(answers)
        return answers

    def _conditions(self, answers: dict[str, Any]) -> list[Condition]:
        """The values of those modifiers that need one; each ticked one needs its own, and nothing else takes any."""
        ticked, found = answers.get("modifiers") or [], []
        for name, code in self.values.items():
            written = (answers.pop(name, None) or "").strip()
            if not written and code not in ticked:
                continue
            if code not in ticked:
                self.add_error(name, f"Tick {duo.term(code).label} as well, or leave this empty.")
                continue
            parts = {part.strip() for part in written.split(",")} if KINDS[code].several else {written}
            try:
                found.append(Condition(term=code, values=tuple(sorted(parts - {""}))))
            except ConsentError as error:
                self.add_error(name, sentence(error))
        return found


class CountForm(PurposeForm):
    """The purpose whose fitting patients a researcher wants counted."""


class RetireForm(Form):
    """Nothing to say: the button is the answer."""


class AccountForm(Form):
    """The hospital's privacy account: its cap is final but for a vote of the hospitals."""

    cap = forms.DecimalField(
        label="Cap (epsilon)",
        min_value=Decimal("0.1"),
        max_value=Decimal(10),
        decimal_places=3,
        help_text="The most privacy this hospital's patients ever spend, all studies together. At most 10.",
    )
    delta = forms.DecimalField(
        label="Delta",
        min_value=Decimal("0.000000001"),
        max_value=Decimal("0.01"),
        decimal_places=12,
        help_text="Well below 1 over the number of patients, for example 0.0001.",
    )
