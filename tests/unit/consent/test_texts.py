"""A consent text's file: read strictly, and whatever is changed in it is another digest."""

from __future__ import annotations

from hashlib import sha256

import pytest

from consent.errors import ConsentError
from consent.texts import ConsentText, agree

GOOD = """+++
id = "trial-2"
language = "en"
semantic_id = "covenant.trial-2"
title = "A trial"
presets = ["cancer", "heart-disease"]
still_permits = "nothing"
supersedes = "trial-1"
changes = ["We added cancer."]
[withdrawal]
default = "stop-now"
US = "reliance"
[[quiz]]
question = "May you stop?"
[[quiz.answers]]
text = "Yes"
why = "Yes, on any day."
right = true
[[quiz.answers]]
text = "No"
why = "No: you may."
+++
## Why?

Words.
"""


def read(*changes: tuple[str, str]) -> ConsentText:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return ConsentText.read(text.encode())


def test_the_digest_is_that_of_the_whole_file() -> None:
    assert read().digest == sha256(b"covenant.consent-text.v1\n" + GOOD.encode()).hexdigest()
    assert read().body == "## Why?\n\nWords.\n"


@pytest.mark.parametrize("change", [("Words.", "Words!"), ('default = "stop-now"', 'default = "reliance"')])
def test_other_words_or_rules_are_another_digest(change: tuple[str, str]) -> None:
    assert read(change).digest != read().digest


def test_the_rule_of_a_country_or_of_the_rest() -> None:
    front = read().front
    assert [front.rule_in(country) for country in ("US", "DE", "")] == ["reliance", "stop-now", "stop-now"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("+++\nid", "id"), "texts.malformed"),
        (("+++\n## Why?\n\nWords.\n", ""), "texts.malformed"),
        (("## Why?\n\nWords.\n", " \n"), "texts.malformed"),
        (("Words.\n", "Words.\r\n"), "texts.malformed"),
        (("id = ", "id == "), "texts.front-matter"),
        (('title = "A trial"\n', ""), "texts.front-matter"),
        (('title = "A trial"', 'titel = "A trial"'), "texts.front-matter"),
        (('still_permits = "nothing"', 'still_permits = "some"'), "texts.front-matter"),
        (('US = "reliance"', 'US = "never"'), "texts.front-matter"),
        (('"heart-disease"]', '"heart"]'), "texts.preset"),
        (('["cancer", "heart-disease"]', '["heart-disease", "cancer"]'), "texts.preset"),
        (('default = "stop-now"\n', ""), "texts.jurisdiction"),
        (("US =", "USA ="), "texts.jurisdiction"),
        (("right = true\n", ""), "texts.quiz"),
        (('why = "No: you may."', 'why = "No."\nright = true'), "texts.quiz"),
        (('supersedes = "trial-1"\n', ""), "texts.changes"),
        (('changes = ["We added cancer."]\n', ""), "texts.changes"),
    ],
)
def test_a_file_that_says_something_else_is_refused(change: tuple[str, str], code: str) -> None:
    with pytest.raises(ConsentError) as caught:
        read(change)
    assert caught.value.code == code, caught.value


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(ConsentError, match="texts.malformed"):
        ConsentText.read(GOOD.encode("utf-16"))


def test_languages_of_one_version_agree_on_all_but_words() -> None:
    german = read(('language = "en"', 'language = "de"'), ("Words.", "Worte."), ("A trial", "Ein Versuch"))
    agree([read(), german])
    for change in (("covenant.trial-2", "covenant.trial-3"), ("US =", "DE ="), ('"cancer", ', "")):
        with pytest.raises(ConsentError, match="texts.languages-disagree"):
            agree([read(), read(change)])
