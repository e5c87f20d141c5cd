"""What a steward proposes and how the hospital votes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, get_args

from django import forms

from consent.seats import Sector
from portal.forms import Form
from portal.governance import selectors

WAIVE: Final = "waive-return"


class ProposeForm(Form):
    """Patients counted apart, a hospital's cap, where an organisation sits, or results that need not come back."""

    proposal = forms.UUIDField(widget=forms.HiddenInput)
    kind = forms.ChoiceField(
        label="Proposal",
        widget=forms.RadioSelect,
        choices=[
            ("declare-disjoint", "Declare that these hospitals share no patients"),
            ("set-cap", "Set one hospital's privacy cap"),
            ("set-organisation", "Say where one organisation sits and what kind it is"),
            (WAIVE, "Let a study go without returning its results to one hospital"),
        ],
    )
    hospitals = forms.MultipleChoiceField(
        label="Hospitals",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Only for shared patients and a cap.",
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
    waived = forms.ChoiceField(
        label="Results that need not come back",
        required=False,
        help_text="Only where a hospital cannot, or does not, say that it has them. What hangs on them goes on.",
    )
    days = forms.IntegerField(label="Days to vote", min_value=1, max_value=90, initial=14)

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.fields["hospitals"].choices = selectors.hospitals()
        self.fields["organisation"].choices = [("", "---"), *selectors.organisations()]
        if owed := selectors.owed():
            self.fields["waived"].choices = [("", "---"), *owed]
        else:
            del self.fields["waived"]
            self.fields["kind"].choices = [one for one in self.fields["kind"].choices if one[0] != WAIVE]

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        kind, hospitals, cap = answers.get("kind"), answers.pop("hospitals", []), answers.pop("cap", None)
        seat = [answers.pop(name, "") for name in ("organisation", "country", "sector")]
        waived = answers.pop("waived", "")
        if kind == "declare-disjoint" and len(hospitals) < 2:
            self.add_error("hospitals", "Choose at least two hospitals.")
        if kind == "set-cap" and len(hospitals) != 1:
            self.add_error("hospitals", "Choose the one hospital whose cap is meant.")
        if kind == "set-cap" and cap is None:
            self.add_error("cap", "Say what the new cap is.")
        if kind == "set-organisation" and not all(seat):
            self.add_error("organisation", "Choose the organisation, and say its country and what kind it is.")
        if kind == WAIVE and not waived:
            self.add_error("waived", "Choose the results that need not come back.")
        if not self.errors:
            del answers["kind"]
            answers["action"] = action(kind, hospitals, cap, seat, waived)
        return answers


def action(kind: str, hospitals: list[str], cap: Decimal, seat: list[str], waived: str) -> dict[str, Any]:
    """What the proposal would do. `seat`: the organisation's MSP id, its country and its sector. `waived`: as
    `selectors.owed` names it."""
    if kind == "declare-disjoint":
        return {"kind": kind, "hospitals": sorted(hospitals)}
    if kind == "set-cap":
        return {"kind": kind, "hospital": hospitals[0], "cap": format(cap.normalize(), "f")}
    if kind == WAIVE:
        study, hospital = waived.split("@")
        return {"kind": kind, "study": study, "hospital": hospital}
    msp, country, sector = seat
    return {"kind": kind, "organisation": selectors.organisation(msp) | {"country": country.upper(), "sector": sector}}


class VoteForm(Form):
    choice = forms.ChoiceField(label="Vote", widget=forms.RadioSelect, choices=[("yes", "Yes"), ("no", "No")])


class ExecuteForm(Form):
    """Nothing to say: the button is the answer."""
