"""Every consent text that is shipped can be read by somebody with eight years at school, in each of its languages."""

from __future__ import annotations

import pytest

from consent.texts import CHILD, ConsentText
from portal.patients import reading_level
from portal.patients.texts import WORDING

TEXTS = sorted(WORDING.glob("*.md"))


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.name)
def test_a_consent_text_is_easy_to_read(file) -> None:
    text = ConsentText.read(file.read_bytes())
    quiz = [line for one in text.front.quiz for line in (one.question, *(answer.why for answer in one.answers))]
    for part in (text.body, "\n\n".join(quiz), "\n\n".join(text.front.changes) or text.front.title):
        assert reading_level.grade(part, text.language) <= reading_level.hardest(text.language), part[:80]


def test_there_are_texts_in_several_languages() -> None:
    languages = {file.name.split(".")[-2] for file in TEXTS}
    assert languages >= {"de", "en"} and languages >= {f"{one}{CHILD}" for one in languages if CHILD not in one}


def test_a_hard_text_is_found() -> None:
    hard = "Pseudonymised information concerning participating individuals undergoes federated computational analysis."
    assert reading_level.grade(hard, "en") > reading_level.hardest("en") > reading_level.hardest("en-x-child")
