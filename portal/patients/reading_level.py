"""How many years at school a text asks for, by a published formula a language. Where there is none, nobody can say.

English: Flesch-Kincaid grade level (Kincaid et al. 1975, Navy report 8-75). German: first Wiener Sachtextformel
(Bamberger and Vanecek 1984), which gives the same kind of number; Flesch-Kincaid's weights are for English words.
Syllables are counted by groups of vowels: an estimate, within a few in a hundred of a dictionary's count.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from consent.texts import CHILD
from portal.errors import PortalError

HARDEST: Final = 8.0
FOR_CHILDREN: Final = 5.0
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE = re.compile(r"[.!?:]+(?=\s|$)|\n{2,}")  # a heading is a sentence, too


def grade(markdown: str, language: str) -> float:
    """The school year that `markdown` asks for. Raises PortalError `patients.reading-level` for other languages."""
    formula = FORMULAS.get(language.removesuffix(CHILD))
    if formula is None:
        raise PortalError("patients.reading-level", f"there is no reading level for {language}: measure it and add one")
    plain = re.sub(r"(?m)^#+ |[*_]", "", markdown)
    sentences = [found for part in _SENTENCE.split(plain) if (found := _WORD.findall(part))]
    return formula(sentences)


def hardest(language: str) -> float:
    """The highest school year that a text in `language` may ask for."""
    return FOR_CHILDREN if language.endswith(CHILD) else HARDEST


def flesch_kincaid(sentences: list[list[str]]) -> float:
    words = [word for sentence in sentences for word in sentence]
    syllables = sum(map(syllables_en, words))
    return 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59


def wiener(sentences: list[list[str]]) -> float:
    words = [word for sentence in sentences for word in sentence]
    syllables = [syllables_de(word) for word in words]

    def share(which: list[bool]) -> float:
        return 100 * sum(which) / len(words)

    return (
        0.1935 * share([count >= 3 for count in syllables])
        + 0.1672 * len(words) / len(sentences)
        + 0.1297 * share([len(word) > 6 for word in words])
        - 0.0327 * share([count == 1 for count in syllables])
        - 0.875
    )


def syllables_en(word: str) -> int:
    """Groups of vowels, more where two are spoken apart, fewer where an e is silent."""
    said = re.sub(r"['’]s$", "", word.lower())
    groups = len(re.findall(r"[aeiouy]+", said))
    apart = len(re.findall(r"[aeiouy]ing$|(?<![cst])i[ao]|[^qg]u[ao]", said))
    silent = len(re.findall(r"[^aeiouyl]e$|[aeiou]le$|[^aeioutd]ed$|[^aeioucshxzg]es$|[^l]ement|some(?=[bt])", said))
    return max(1, groups + apart - silent)


def syllables_de(word: str) -> int:
    return max(1, len(re.findall(r"ei|ai|au|eu|äu|ie|aa|ee|oo|[aeiouyäöü]", word.lower())))


FORMULAS: MappingProxyType[str, Callable[[list[list[str]]], float]] = MappingProxyType(
    {"en": flesch_kincaid, "de": wiener}
)
