"""The table of wrong trainers is the one that the tests work through: each with the checks that find it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.privacy_checks import by_words
from tests.support.privacy_mutants import MUTANTS

PAGE = (Path(__file__).parents[2] / "docs/formats/training.md").read_text()


def table(heading: str) -> list[tuple[str, str]]:
    rows = PAGE.split(f"{heading}\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    return [(left, right) for left, right in (row.strip("| ").split(" | ") for row in rows)]


def test_every_wrong_trainer_has_its_line() -> None:
    assert table("| what is wrong | the checks that find it |") == [
        (mutant.wrong, ", ".join(mutant.found_by)) for mutant in MUTANTS
    ]


def test_every_check_has_its_line() -> None:
    rows = table("| check | what it looks at |")
    assert [name for name, _ in rows] == list(by_words())
    assert all(re.fullmatch(r"[A-Zε].{20,}", words) for _, words in rows)
