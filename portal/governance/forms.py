"""What a steward proposes and how the hospital votes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

from django import forms

from consent.seats import Sector
from portal.governance import selectors


class ProposeForm(forms.Form):
    """Patients of several hospitals counted apart, a hospital's cap, or where an organisation sits."""

    proposal = forms.UUIDField(widget=forms.HiddenInput)
    kind = forms.ChoiceField(
        label="Proposal",
        widget=forms.RadioSelect,
        choices=[
            ("declare-disjoint", "Declare that these hospitals share no patients"),
            ("set-cap", "Set one hospital's privacy cap"),
            ("set-organisation", "Say where one organisation sits and what kind it is"),
        ],
    )
    hospitals = forms.MultipleChoiceField(
        label="Hospitals",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="For all but where an organisation sits.",
    )
    cap = forms.DecimalField(
        label="New cap (epsilon)",
        required=False,
        min_value=Decimal("0.1"),
        max_value=Decimal(10),
        decimal_places=3,
        help_text="Only for a cap. Never above 10: no vote can lift that.",
    )
    organisation = forms.ChoiceField(
        label="Organisation", required=False, help_text="Only for where it sits and what kind it is."
    )
    country = forms.CharField(
        label="Its country", required=False, max_length=2, help_text="Two letters, such as DE. Access is judged by it."
    )
    sector = forms.ChoiceField(
        label="What kind it is", required=False, choices=[("", "---"), *((one, one) for one in get_args(Sector))]
    )
    days = forms.IntegerField(label="Days to vote", min_value=1, max_value=90, initial=14)

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.fields["hospitals"].choices = selectors.hospitals()
        self.fields["organisation"].choices = [("", "---"), *selectors.organisations()]

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        kind, hospitals, cap = answers.get("kind"), answers.pop("hospitals", []), answers.pop("cap", None)
        seat = [answers.pop(name, "") for name in ("organisation", "country", "sector")]
        if kind == "declare-disjoint" and len(hospitals) < 2:
            self.add_error("hospitals", "Choose at least two hospitals.")
        if kind == "set-cap" and len(hospitals) != 1:
            self.add_error("hospitals", "Choose the one hospital whose cap is meant.")
        if kind == "set-cap" and cap is None:
            self.add_error("cap", "Say what the new cap is.")
        if kind == "set-organisation" and not all(seat):
            self.add_error("organisation", "Choose the organisation, and say its country and what kind it is.")
        if not self.errors:
            del answers["kind"]
            answers["action"] = action(kind, hospitals, cap, seat)
        return answers


def action(kind: str, hospitals: list[str], cap: Decimal, seat: list[str]) -> dict[str, Any]:
    """What the proposal would do. `seat`: the organisation's MSP id, its country and its sector."""
    if kind == "declare-disjoint":
        return {"kind": kind, "hospitals": sorted(hospitals)}
    if kind == "set-cap":
        return {"kind": kind, "hospital": hospitals[0], "cap": format(cap.normalize(), "f")}
    msp, country, sector = seat
    return {"kind": kind, "organisation": selectors.organisation(msp) | {"country": country.upper(), "sector": sector}}


class VoteForm(forms.Form):
    choice = forms.ChoiceField(label="Vote", widget=forms.RadioSelect, choices=[("yes", "Yes"), ("no", "No")])


class ExecuteForm(forms.Form):
    """Nothing to say: the button is the answer."""
