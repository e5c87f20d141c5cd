"""A consent text as a file: Markdown under a front matter in TOML, and the digest that a patient signs.

The front matter holds what the patient agrees to beside the words: the choices offered, what the version still permits
once a newer one is out, and what holds for models made before a withdrawal. It is part of the file, so of the digest.

    +++
    id = "heart-2026.1"
    ...
    +++
    ## What is this about?
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta

from consent import canonical
from consent.countries import COUNTRIES
from consent.errors import CanonicalRefused, ConsentError
from consent.presets import PRESETS
from consent.versions import StillPermits

FENCE: Final = "+++\n"
TAG: Final = "covenant.consent-text.v1"
ANYWHERE: Final = "default"
CHILD: Final = "-x-child"  # ends the language tag (BCP 47, private use) of the words for a child who is asked

WithdrawalRule = Literal["future-permits-only", "reliance", "stop-now"]
Line = Annotated[str, Meta(min_length=1, max_length=400)]
Id = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z", description="lower-case letters, digits, . _ -")]
Language = Annotated[
    str,
    Meta(
        pattern=r"^[a-z]{2,3}(-[A-Z]{2})?(-x-child)?\Z",
        description="a language tag such as en or pt-BR, with -x-child where it is put for children",
    ),
]


class Answer(canonical.Document, frozen=True, kw_only=True):
    """One answer of the quiz. `why`: said to whoever chose it, whether right or wrong."""

    text: Line
    why: Line
    right: bool = False


class Question(canonical.Document, frozen=True, kw_only=True):
    question: Line
    answers: Annotated[tuple[Answer, ...], Meta(min_length=2, max_length=5)]


class FrontMatter(canonical.Document, frozen=True, kw_only=True):
    """What a text says beside its words.

    `semantic_id`: names what is meant, one for all languages of a version. `supersedes`: the version before, and
    `changes`: what is new since then, a sentence each. `withdrawal`: the rule for what was learned before a withdrawal,
    by country (two letters), and `default`; no rule lets a record into a new round.
    """

    id: Id
    language: Language
    semantic_id: Id
    title: Line
    presets: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)]
    still_permits: StillPermits
    withdrawal: dict[str, WithdrawalRule]
    supersedes: Id | None = None
    changes: Annotated[tuple[Line, ...], Meta(max_length=32)] = ()
    quiz: Annotated[tuple[Question, ...], Meta(max_length=12)] = ()

    def rule_in(self, country: str) -> WithdrawalRule:
        """The withdrawal rule in `country` (two letters, "" where nobody knows)."""
        return self.withdrawal.get(country, self.withdrawal[ANYWHERE])

    @property
    def meaning(self) -> tuple[object, ...]:
        """What every language of one version must say alike."""
        quiz = tuple(tuple(answer.right for answer in one.answers) for one in self.quiz)
        return (
            self.id,
            self.semantic_id,
            self.presets,
            self.still_permits,
            tuple(sorted(self.withdrawal.items())),
            self.supersedes,
            len(self.changes),
            quiz,
        )


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One wording. `body`: Markdown. `digest`: 64 hex characters over the whole file, front matter and all."""

    front: FrontMatter
    body: str
    digest: str

    @property
    def id(self) -> str:
        return self.front.id

    @property
    def language(self) -> str:
        return self.front.language

    @classmethod
    def read(cls, data: bytes) -> ConsentText:
        """The text in the file `data`.

        Raises ConsentError `texts.malformed`, `texts.front-matter`, `texts.preset`, `texts.jurisdiction`, `texts.quiz`,
        `texts.changes`.
        """
        matter, body = parts(data)
        front = front_matter(matter)
        check(front)
        return cls(front, body, canonical.digest(TAG, data).hex())


def parts(data: bytes) -> tuple[str, str]:
    """Front matter and Markdown; raises ConsentError `texts.malformed`."""
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise ConsentError("texts.malformed", "a consent text is written in UTF-8: save the file so") from None
    if "\r" in whole or whole.startswith("\ufeff"):
        raise ConsentError("texts.malformed", "end lines with a line feed alone, and begin without a byte order mark")
    matter, fence, body = whole.removeprefix(FENCE).partition("\n" + FENCE)
    if not whole.startswith(FENCE) or not fence or not body.strip():
        raise ConsentError("texts.malformed", "a consent text begins with its front matter between two lines of +++")
    return matter, body


def front_matter(matter: str) -> FrontMatter:
    """Raises ConsentError `texts.front-matter`, naming the field."""
    try:
        return canonical.convert(tomllib.loads(matter), FrontMatter)
    except (tomllib.TOMLDecodeError, CanonicalRefused) as error:
        said = error.message if isinstance(error, CanonicalRefused) else f"{error}: mend the TOML"
        raise ConsentError("texts.front-matter", f"the front matter cannot be read: {said}") from None


def check(front: FrontMatter) -> None:
    """Raises ConsentError `texts.preset`, `texts.jurisdiction`, `texts.quiz`, `texts.changes`."""
    if unknown := sorted(set(front.presets) - PRESETS.keys()):
        raise ConsentError("texts.preset", f"there is no choice {unknown[0]!r}: offer presets that exist")
    if list(front.presets) != sorted(set(front.presets)):
        raise ConsentError("texts.preset", "list the presets once each, in order")
    if ANYWHERE not in front.withdrawal or not front.withdrawal.keys() - {ANYWHERE} <= COUNTRIES:
        raise ConsentError(
            "texts.jurisdiction", "give a withdrawal rule for default, and others for two-letter countries"
        )
    for one in front.quiz:
        if sum(answer.right for answer in one.answers) != 1:
            raise ConsentError("texts.quiz", f"mark exactly one answer as right: {one.question}")
    if (front.supersedes is None) != (not front.changes):
        raise ConsentError("texts.changes", "say what changed if an earlier version is superseded, and only then")


def agree(texts: Iterable[ConsentText]) -> None:
    """Return quietly if `texts` are languages of one version; raises ConsentError `texts.languages-disagree`."""
    if len({text.front.meaning for text in texts}) > 1:
        raise ConsentError(
            "texts.languages-disagree", "give every language of a version the same id, rules and choices"
        )
