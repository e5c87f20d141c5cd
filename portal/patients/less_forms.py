"""The form on which a consent is made smaller in its finer parts: nothing wider than what stands is on offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext

from portal.patients import choices, words
from portal.patients.forms import ExactlyForm

ORDER: Final = {  # each choice after what it is wider than
    "recipients": (choices.NON_PROFIT, choices.NOT_FOR_GAIN, choices.ALL),
    "countries": (choices.HERE, choices.ANYWHERE),
    "studies": (choices.LISTED, choices.ANY),
}


class LessForm(ExactlyForm):
    """`now`: the answers of the consent that stands (`choices.answers`). A question with one answer left is not asked.

    `titles`: the studies that may be listed, those of the consent where it lists them.
    """

    def __init__(self, *args: Any, now: Mapping[str, Any], **options: Any) -> None:
        super().__init__(*args, **options)
        self.now = now
        for name, order in ORDER.items():
            self.keep(name, order[: order.index(now[name]) + 1])
        self.keep("categories", now["categories"])
        for name, edge in (("data_from", "min"), ("data_until", "max")):
            if now[name]:
                self.fields[name].widget.attrs[edge] = now[name]

    def keep(self, name: str, allowed: Any) -> None:
        """Offer of `name` only what is `allowed`."""
        field = self.fields.get(name)
        if field is None:
            return
        assert isinstance(field, forms.ChoiceField)
        field.choices = [one for one in field.choices if one[0] in allowed]
        if len(field.choices) == 1:
            del self.fields[name]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        first, last = self.now["data_from"], self.now["data_until"]
        if first and (cleaned["data_from"] or "") < first and "data_from" not in self.errors:
            self.add_error(
                "data_from",
                gettext("Until now: records from {} on. Choose that day or a later one.").format(words.day(first)),
            )
        if last and (cleaned["data_until"] or "9999") > last and "data_until" not in self.errors:
            self.add_error(
                "data_until",
                gettext("Until now: records until {}. Choose that day or an earlier one.").format(words.day(last)),
            )
        return cleaned
