"""One question a page."""

from __future__ import annotations

from typing import Any

from django import forms

from consent import periods
from portal.patients import services, texts, words

YEARS = ((12, "1 year"), (24, "2 years"), (60, "5 years"))


class AgreeForm(forms.Form):
    read = forms.BooleanField(
        label="I have read this, or somebody has read it to me",
        error_messages={"required": "Tick the box when you have read it. Take all the time you need."},
    )


class PurposeForm(forms.Form):
    """What the record may be used for; `allowed` restricts the choice when a consent is made smaller."""

    preset = forms.ChoiceField(
        label="What may your record be used for?",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one of these.", "invalid_choice": "Choose one of these."},
    )

    def __init__(self, *args: Any, allowed: list[str] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        names = allowed or list(texts.PRESETS[texts.CURRENT])
        preset = self.fields["preset"]
        assert isinstance(preset, forms.ChoiceField)
        preset.choices = [(name, label) for name, label in words.PRESETS.items() if name in names]


class UntilForm(forms.Form):
    """For how long; `latest` ("YYYY-MM") restricts the choice when a consent is made smaller."""

    until = forms.ChoiceField(
        label="For how long may it be used?",
        help_text="It ends by itself. You can stop sooner at any time.",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one of these.", "invalid_choice": "Choose one of these."},
    )

    def __init__(self, *args: Any, latest: str | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        now = services.this_month()
        spans = [(0, "this month"), (6, "half a year"), *YEARS] if latest else YEARS
        choices = [(periods.shift_months(now, count), text) for count, text in spans]
        choices = [(value, f"{text.capitalize()}: until the end of {words.month(value)}") for value, text in choices]
        if latest:
            choices = [choice for choice in choices if choice[0] < latest]
            choices.append((latest, f"As now: until the end of {words.month(latest)}"))
        until = self.fields["until"]
        assert isinstance(until, forms.ChoiceField)
        until.choices = choices
