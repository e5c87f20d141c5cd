"""What somebody answers who has read a consent text and understood it."""

from __future__ import annotations

from portal.patients import texts


def understood(version: str = texts.FIRST, language: str = texts.LANGUAGE) -> dict[str, str]:
    """The right answers of a text's quiz, as a form takes them."""
    quiz = texts.version_files(texts.WORDING, version)[language].front.quiz
    right = [next(str(place) for place, answer in enumerate(one.answers) if answer.right) for one in quiz]
    return {"read": "on"} | {f"q{number}": place for number, place in enumerate(right, 1)}
