"""What a steward proposes and how the hospital votes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from portal.governance import selectors


class ProposeForm(forms.Form):
    """Patients of several hospitals counted apart, or a hospital's cap."""

    proposal = forms.UUIDField(widget=forms.HiddenInput)
    kind = forms.ChoiceField(
        label="Proposal",
        widget=forms.RadioSelect,
        choices=[
            ("declare-disjoint", "Declare that these hospitals share no patients"),
            ("set-cap", "Set one hospital's privacy cap"),
        ],
    )
    hospitals = forms.MultipleChoiceField(label="Hospitals", widget=forms.CheckboxSelectMultiple)
    cap = forms.DecimalField(
        label="New cap (epsilon)",
        required=False,
        min_value=Decimal("0.1"),
        max_value=Decimal(10),
        decimal_places=3,
        help_text="Only for a cap. Never above 10: no vote can lift that.",
    )
    days = forms.IntegerField(label="Days to vote", min_value=1, max_value=90, initial=14)

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.fields["hospitals"].choices = selectors.hospitals()

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        kind, hospitals, cap = answers.get("kind"), answers.get("hospitals", []), answers.pop("cap", None)
        if kind == "declare-disjoint" and len(hospitals) < 2:
            self.add_error("hospitals", "Choose at least two hospitals.")
        if kind == "set-cap" and len(hospitals) != 1:
            self.add_error("hospitals", "Choose the one hospital whose cap is meant.")
        if kind == "set-cap" and cap is None:
            self.add_error("cap", "Say what the new cap is.")
        if not self.errors:
            del answers["kind"], answers["hospitals"]
            answers["action"] = (
                {"kind": kind, "hospitals": sorted(hospitals)}
                if kind == "declare-disjoint"
                else {"kind": kind, "hospital": hospitals[0], "cap": format(cap.normalize(), "f")}
            )
        return answers


class VoteForm(forms.Form):
    choice = forms.ChoiceField(label="Vote", widget=forms.RadioSelect, choices=[("yes", "Yes"), ("no", "No")])


class ExecuteForm(forms.Form):
    """Nothing to say: the button is the answer."""
