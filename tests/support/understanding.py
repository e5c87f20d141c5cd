"""Consent texts for tests, and what somebody answers who has read one and understood it."""

from __future__ import annotations

import itertools
from pathlib import Path

from portal.patients import texts

SERIES = itertools.count(1)
NEW = "We ask about pictures too."  # what changed in the second version


def two_versions(folder: Path) -> tuple[str, str]:
    """Write two versions of a text of their own into `folder`: the first in all languages, the second in English alone,
    superseding the first."""
    name = f"trial-{next(SERIES)}"
    first, second = f"{name}.1", f"{name}.2"
    for file in texts.WORDING.glob(f"{texts.FIRST}.*.md"):
        other = file.read_text().replace(f'id = "{texts.FIRST}"', f'id = "{first}"', 1)
        (folder / file.name.replace(texts.FIRST, first)).write_text(other)
    source = (texts.WORDING / f"{texts.FIRST}.en.md").read_text()
    newer = f'id = "{second}"\nsupersedes = "{first}"\nchanges = ["{NEW}"]'
    (folder / f"{second}.en.md").write_text(source.replace(f'id = "{texts.FIRST}"', newer) + "\nNew words.\n")
    return first, second


def understood(version: str = texts.FIRST, language: str = texts.LANGUAGE) -> dict[str, str]:
    """The right answers of a text's quiz, as a form takes them."""
    quiz = texts.version_files(texts.WORDING, version)[language].front.quiz
    right = [next(str(place) for place, answer in enumerate(one.answers) if answer.right) for one in quiz]
    return {"read": "on"} | {f"q{number}": place for number, place in enumerate(right, 1)}
