"""Every error of every form names its field and says what to do; none is in Django's own words."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation

import portal
from portal.forms import Form, Named, own_words, words_for

LOST = "This page has lost something that it carries (Carried). Open it again and send it once more."


class Everything(Form):
    """A field of each kind that the pages have."""

    name = forms.CharField(label="Name", max_length=3, required=False)
    why = forms.CharField(label="Why")
    day = forms.DateField(label="Day", required=False)
    count = forms.IntegerField(label="Count", min_value=2, max_value=5, required=False)
    share = forms.DecimalField(label="Share", decimal_places=2, max_digits=4, required=False)
    number = forms.UUIDField(label="Number", required=False)
    one = forms.ChoiceField(label="One", choices=[("a", "A")], required=False)
    some = forms.MultipleChoiceField(label="Some", choices=[("a", "A")], required=False)
    file = forms.FileField(label="File", required=False)
    own = forms.CharField(label="Own", error_messages={"required": "Say it in your own words."}, required=False)
    carried = forms.UUIDField(widget=forms.HiddenInput, required=False)


@pytest.mark.parametrize(
    ("field", "sent", "said"),
    [
        ("why", "", "Fill in “Why”."),
        ("name", "abcd", "“Name”: this is too long (4 signs). Write 3 at most."),
        ("name", "a\0", "“Name”: take out the signs that nobody can see."),
        ("day", "2021-02-29", "“Day”: this is no day of the calendar. Write it like 2030-03-31."),
        ("count", "x", "“Count”: write a whole number, like 12."),
        ("count", "1", "“Count”: write 2 or more."),
        ("count", "6", "“Count”: write 5 or less."),
        ("share", "x", "“Share”: write a number, like 0.5."),
        ("share", "0.123", "“Share”: write 2 digits after the point at most."),
        ("share", "123", "“Share”: write 2 digits before the point at most."),
        ("number", "7", "“Number”: copy the whole number, 32 letters and digits with hyphens between."),
        ("one", "b", "“One”: choose one of the answers that this page offers."),
        ("some", ["b"], "“Some”: choose one of the answers that this page offers."),
        (
            "carried",
            "7",
            LOST,
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_name_of_the_field(field: str, sent: Any, said: str) -> None:
    assert Everything({"why": "so", field: sent}).errors[field] == [said]


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("day", "Choose a day for “Day”."),
        ("one", "Choose an answer under “One”."),
        ("some", "Tick at least one under “Some”."),
        ("file", "Choose a file for “File”."),
        ("own", "Say it in your own words."),
        ("carried", LOST),
    ],
)
def test_what_is_empty_is_asked_for_by_its_name(field: str, said: str) -> None:
    form = Everything({"why": "so"})
    form.fields[field].required = True
    assert form.errors == {field: [said]}


def test_an_empty_file_is_no_file() -> None:
    form = Everything({"why": "so"}, {"file": SimpleUploadedFile("paper.pdf", b"")})
    assert form.errors["file"] == ["“File”: there is nothing in this file. Choose another one."]


def test_the_same_is_said_in_german() -> None:
    with translation.override("de"):
        assert Everything({}).errors["why"] == ["Füllen Sie „Why“ aus."]


def test_what_a_form_says_itself_stays_and_a_name_may_hold_any_sign() -> None:
    form = Everything({"why": "", "one": "b"})
    form.fields["one"].label = "At {100} %(d"
    form.add_error("day", "Say {100} %.")
    assert form.errors["one"] == ["“At {100} %(d”: choose one of the answers that this page offers."]
    assert form.errors["day"] == ["Say {100} %."]


def every_form() -> list[type[forms.BaseForm]]:
    here = Path(portal.__file__).parent
    for file in sorted(here.rglob("*.py")):
        if "django import forms" in file.read_text():
            importlib.import_module(".".join(("portal", *file.relative_to(here).with_suffix("").parts)))

    def below(kind: type[forms.BaseForm]) -> list[type[forms.BaseForm]]:
        return [one for each in kind.__subclasses__() for one in (each, *below(each))]

    return [kind for kind in below(forms.BaseForm) if kind.__module__.startswith("portal.")]


def test_every_form_of_the_portal_says_so_and_has_words_for_all_that_its_fields_can_say() -> None:
    found = [kind for kind in every_form() if kind is not Form and kind is not Named]
    assert len(found) > 30 and all(issubclass(kind, Named) for kind in found)
    silent = [
        (kind.__name__, name, code)
        for kind in found
        for name, field in kind.base_fields.items()
        for code in field.error_messages
        if code not in {"contradiction", "max_length"} and not own_words(field, code) and not words_for(field, code)
    ]
    assert not silent
