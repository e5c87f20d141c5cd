"""One question a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from consent import periods
from consent.texts import Question
from portal.forms import Form, by_subject
from portal.patients import choices, services, texts, words

YEARS = ((12, _("1 year")), (24, _("2 years")), (60, _("5 years")))


class UnderstandForm(Form):
    """A text's quiz, and that it was read. A wrong answer is explained, and can be given again."""

    def __init__(self, *args: Any, questions: Sequence[Question], **options: Any) -> None:
        super().__init__(*args, **options)
        self._questions = questions
        for number, one in enumerate(questions, 1):
            self.fields[f"q{number}"] = forms.ChoiceField(
                label=one.question,
                choices=[(str(index), answer.text) for index, answer in enumerate(one.answers)],
                widget=forms.RadioSelect,
            )
        self.fields["read"] = forms.BooleanField(
            label=_("I have read this, or somebody has read it to me"),
            error_messages={"required": _("Tick the box when you have read it. Take all the time you need.")},
        )

    @property
    def quiz(self) -> list[forms.BoundField]:
        return [self[f"q{number}"] for number, _ in enumerate(self._questions, 1)]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for number, one in enumerate(self._questions, 1):
            chosen = cleaned.get(f"q{number}")
            if chosen is not None and not one.answers[int(chosen)].right:
                self.add_error(f"q{number}", one.answers[int(chosen)].why)
        return cleaned


class PurposeForm(Form):
    """What the record may be used for; `allowed` restricts the choice when a consent is made smaller."""

    preset = forms.ChoiceField(
        label=_("What may your record be used for?"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one of these."), "invalid_choice": _("Choose one of these.")},
    )

    def __init__(self, *args: Any, allowed: list[str] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        names = allowed or [name for name in texts.text(texts.current()).front.presets if name in words.PLAIN]
        preset = self.fields["preset"]
        assert isinstance(preset, forms.ChoiceField)
        preset.choices = [(name, label) for name, label in words.PRESETS.items() if name in names]

    @property
    def meanings(self) -> list[tuple[str, list[str]]]:
        """Each choice, and what it expands to."""
        preset = self.fields["preset"]
        assert isinstance(preset, forms.ChoiceField)
        return [(str(label), words.expansion(str(name))) for name, label in preset.choices]


class ExactlyForm(Form):
    """What may be said more exactly; whoever asks nothing of this leaves it as it is."""

    recipients = forms.ChoiceField(
        label=_("Who may use it?"),
        choices=[
            (choices.NON_PROFIT, _("Only those who do not work for profit: hospitals, universities, charities")),
            (choices.NOT_FOR_GAIN, _("Companies too, but nobody may use it to make money")),
            (choices.ALL, _("Companies too, also to make money")),
        ],
        initial=choices.NOT_FOR_GAIN,
        widget=forms.RadioSelect,
    )
    countries = forms.ChoiceField(
        label=_("In which countries?"),
        choices=[(choices.ANYWHERE, _("In any country")), (choices.HERE, _("Only in the country of this hospital"))],
        help_text=_(
            "This is about the place of those who ask for the research. The record stays in this hospital, whatever "
            "you choose. Hospitals in other countries may take part too, with their own records."
        ),
        initial=choices.ANYWHERE,
        widget=forms.RadioSelect,
    )
    categories = forms.MultipleChoiceField(
        label=_("Which parts of the record?"),
        help_text=_("A study that needs a part that you leave out cannot use the record at all."),
        choices=list(words.CATEGORIES.items()),
        initial=list(words.CATEGORIES),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Tick at least one part. To say no to all of it, do not give consent.")},
    )
    studies = forms.ChoiceField(
        label=_("Which studies?"),
        choices=[
            (choices.ANY, _("Every study that fits what I chose")),
            (choices.LISTED, _("Only those that I tick below; for others, ask me")),
        ],
        initial=choices.ANY,
        widget=forms.RadioSelect,
    )
    listed = forms.MultipleChoiceField(
        label=_("Studies at this hospital"), required=False, widget=forms.CheckboxSelectMultiple
    )
    data_from = forms.DateField(
        label=_("Only records made on or after"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    data_until = forms.DateField(
        label=_("Only records made on or before"),
        help_text=_(
            "We leave out a record if we do not know its day. So far, the data here have no days. So if you choose a "
            "day, the record is not used at all."
        ),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    feedback = forms.BooleanField(label=_("I want to hear what was learned"), required=False)
    contact = forms.ChoiceField(
        label=_("How may we reach you about it?"),
        choices=list(words.CONTACTS.items()),
        initial="portal",
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, titles: Mapping[str, str], country: str, **options: Any) -> None:
        super().__init__(*args, **options)
        listed = self.fields["listed"]
        assert isinstance(listed, forms.ChoiceField)
        listed.choices = list(titles.items())
        if not titles:
            del self.fields["listed"]
        if not country:
            del self.fields["countries"]

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField], bool]]:
        """The questions by subject, as (heading, fields, whether to show them at once)."""
        subjects = (
            (gettext("Who and where"), ("recipients", "countries")),
            (gettext("Parts of the record"), ("categories", "data_from", "data_until")),
            (gettext("Study by study"), ("studies", "listed")),
            (gettext("Results and how to reach me"), ("feedback", "contact")),
        )
        return by_subject(self, subjects)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = cleaned.get("data_from"), cleaned.get("data_until")
        if first and last and last < first:
            self.add_error("data_until", gettext("This day is before the other one: choose a later day."))
        if cleaned.get("listed") and cleaned.get("studies") == choices.ANY:
            untick = gettext("You ticked studies below: choose that only those may use it, or untick them.")
            self.add_error("studies", untick)
        return cleaned | {
            name: day.isoformat() if day else None for name, day in (("data_from", first), ("data_until", last))
        }


class UntilForm(Form):
    """For how long; `latest` ("YYYY-MM") restricts the choice when a consent is made smaller."""

    until = forms.ChoiceField(
        label=_("For how long may it be used?"),
        help_text=_("It ends by itself. You can stop sooner at any time."),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one of these."), "invalid_choice": _("Choose one of these.")},
    )

    def __init__(self, *args: Any, latest: str | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        now = services.this_month()
        spans = [(0, gettext("this month")), (6, gettext("half a year")), *YEARS] if latest else YEARS
        choices = [(periods.shift_months(now, count), text) for count, text in spans]
        choices = [(value, span(str(text), value)) for value, text in choices]
        if latest:
            choices = [choice for choice in choices if choice[0] < latest]
            choices.append((latest, span(gettext("as now"), latest)))
        until = self.fields["until"]
        assert isinstance(until, forms.ChoiceField)
        until.choices = choices


def span(text: str, month: str) -> str:
    """How long, and until when: "1 year: until the end of March 2031"."""
    said = gettext("{span}: until the end of {month}").format(span=text, month=words.month(month))
    return said[0].upper() + said[1:]
