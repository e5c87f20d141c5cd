"""Every word that the pages mark for translation has a German one, and Django reads what people wrote."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from consent import presets
from consent.diseases import DISEASES
from tests.support import catalogue

GERMAN = catalogue.written()


def test_every_marked_word_has_a_german_one_and_none_is_left_over() -> None:
    assert GERMAN.keys() == catalogue.marked()
    assert not [msgid for msgid, msgstr in GERMAN.items() if not msgstr.strip()]


def test_what_django_reads_is_what_was_written() -> None:
    assert catalogue.compiled() == GERMAN, "run make words"


def test_the_same_is_filled_in_in_both() -> None:
    def places(text: str) -> list[str]:
        named = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
        return sorted([*named, *re.findall(r"%\(\w+\)s", text)])

    wrong = [msgid for msgid, msgstr in GERMAN.items() if places(msgid) != places(msgstr)]
    assert not wrong


def test_what_the_presets_are_about_can_be_said() -> None:
    named = {DISEASES[code].plain for terms in presets.PRESETS.values() for code in terms.diseases}
    assert named and named <= GERMAN.keys()


def test_words_are_found_in_modules_and_templates() -> None:
    source = 'a = _("one")\nb = gettext("two")\nc = other("three")\nd = gettext(a)'
    assert set(catalogue.in_module(source)) == {"one", "two"}
    page = '{% translate "four" %}{% blocktranslate with a=b %}x {{ a }}{% endblocktranslate %}'
    assert catalogue.IN_TEMPLATES.findall(page) == [("four", ""), ("", "x {{ a }}")]


def test_no_word_of_a_page_that_patients_see_is_left_unmarked() -> None:
    left = {page.name: catalogue.unmarked(page.read_text()) for page in catalogue.patients_pages()}
    assert len(left) > 40 and not {name: words for name, words in left.items() if words}


@pytest.mark.parametrize(
    ("page", "left"),
    [
        ('{% translate "a b" %}<p class="hint">{{ c }}</p><code>d e</code>', []),
        ("{% blocktranslate %}a b{% endblocktranslate %}{# c d #}", []),
        ("<p>Hello {{ name }}</p>", ["Hello"]),
        ('<section aria-label="The state">', ["The state"]),
    ],
)
def test_what_is_not_marked_is_found(page: str, left: list[str]) -> None:
    assert catalogue.unmarked(page) == left
