"""The form that every page is made of: each of its errors names the field and says what to do, in the page's language.

Django's own words say neither ("This field is required."); a field's own words, where it has some, stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

CHOOSE: Final = _("“{field}”: choose one of the answers that this page offers.")
ONE_FILE: Final = _("Choose a file for “{field}”.")
LOST: Final = _("This page has lost something that it carries ({field}). Open it again and send it once more.")
EMPTY: Final[tuple[tuple[type[forms.Field], Any], ...]] = (  # the first kind that fits
    (forms.FileField, ONE_FILE),
    (forms.BooleanField, _("Tick “{field}” to go on.")),
    (forms.MultipleChoiceField, _("Tick at least one under “{field}”.")),
    (forms.ChoiceField, _("Choose an answer under “{field}”.")),
    (forms.DateField, _("Choose a day for “{field}”.")),
    (forms.Field, _("Fill in “{field}”.")),
)
MALFORMED: Final[tuple[tuple[type[forms.Field], Any], ...]] = (
    (forms.FileField, ONE_FILE),
    (forms.DateField, _("“{field}”: this is no day of the calendar. Write it like 2030-03-31.")),
    (forms.DecimalField, _("“{field}”: write a number, like 0.5.")),
    (forms.IntegerField, _("“{field}”: write a whole number, like 12.")),
    (forms.UUIDField, _("“{field}”: copy the whole number, 32 letters and digits with hyphens between.")),
)
WORDS: Final[Mapping[str, Any]] = {  # by Django's codes; the values are those that its validators give
    "empty": _("“{field}”: there is nothing in this file. Choose another one."),
    "missing": ONE_FILE,
    "invalid_choice": CHOOSE,
    "invalid_list": CHOOSE,
    "max_value": _("“{field}”: write {limit_value} or less."),
    "min_value": _("“{field}”: write {limit_value} or more."),
    "max_length": _("“{field}”: this is too long ({show_value} signs). Write {limit_value} at most."),
    "max_digits": _("“{field}”: write {max} digits at most."),
    "max_whole_digits": _("“{field}”: write {max} digits before the point at most."),
    "max_decimal_places": _("“{field}”: write {max} digits after the point at most."),
    "null_characters_not_allowed": _("“{field}”: take out the signs that nobody can see."),
}


class Named(forms.BaseForm):
    """A form, of whatever kind, whose errors are sentences with the field's name in them."""

    def add_error(self, field: str | None, error: Any) -> None:
        if field is not None and isinstance(error, ValidationError):
            error = [self._named(field, one) for one in error.error_list]
        super().add_error(field, error)

    def _named(self, name: str, error: ValidationError) -> ValidationError:
        field, code = self.fields[name], error.code
        if not code or own_words(field, code):
            return error
        words = LOST if field.widget.is_hidden else words_for(field, code)
        if words is None:
            return error
        said = gettext(words).format(field=self[name].label, **(error.params or {}))
        return ValidationError(said, code=code)


class Form(Named, forms.Form):
    """Every form of the portal that is not one of Django's own."""


def by_subject(
    form: forms.BaseForm, subjects: Iterable[tuple[str, Iterable[str]]]
) -> list[tuple[str, list[forms.BoundField], bool]]:
    """The fields named under each of `subjects` (heading, names), as (heading, fields, whether one of them is wrong).

    What a form has not got is left out, and so is a heading without fields: parts/subjects.html shows the rest.
    """
    asked = [(heading, [form[name] for name in names if name in form.fields]) for heading, names in subjects]
    return [(heading, fields, any(one.errors for one in fields)) for heading, fields in asked if fields]


def words_for(field: forms.Field, code: str) -> Any | None:
    """The sentence for what is wrong with `field`, still without the field's name; None where Django never says it."""
    by_kind = {"required": EMPTY, "invalid": MALFORMED}.get(code, ())
    return next((words for kind, words in by_kind if isinstance(field, kind)), WORDS.get(code))


def own_words(field: forms.Field, code: str) -> bool:
    """Whether `field` was given its own words for `code`."""
    said = field.error_messages.get(code)
    inherited = [kind.__dict__.get("default_error_messages", {}).get(code) for kind in type(field).__mro__]
    return said is not None and all(said is not one for one in inherited)
