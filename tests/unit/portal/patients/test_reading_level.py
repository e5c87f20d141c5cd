"""The reading level's formulas: on figures worked out by hand, and on words whose syllables are known."""

from __future__ import annotations

import pytest

from portal.patients.reading_level import grade, syllables_de, syllables_en

ENGLISH = {  # syllables by the CMU Pronouncing Dictionary
    1: "care used learned choose house through the said parts stays",
    2: "little people record happens doctors without being before statement",
    3: "computer hospital remember anything important another united companies",
    4: "information especially ordinary",
    5: "university opportunity refrigerator",
}
GERMAN = {1: "Ja nein weiß", 2: "Klinik lernen heute Leute", 3: "Computer gelernte verlassen", 4: "Krankenakten"}


@pytest.mark.parametrize("count", ENGLISH)
def test_syllables_of_english_words(count: int) -> None:
    assert {word: syllables_en(word) for word in ENGLISH[count].split()} == dict.fromkeys(ENGLISH[count].split(), count)


@pytest.mark.parametrize("count", GERMAN)
def test_syllables_of_german_words(count: int) -> None:
    assert {word: syllables_de(word) for word in GERMAN[count].split()} == dict.fromkeys(GERMAN[count].split(), count)


def test_flesch_kincaid_by_hand() -> None:
    """0.39 * 6 words a sentence + 11.8 * 1 syllable a word - 15.59, and the same words in sentences of three."""
    assert grade("The cat sat on the mat.", "en") == pytest.approx(0.39 * 6 + 11.8 - 15.59)
    assert grade("The cat sat. On the mat.", "en") == pytest.approx(0.39 * 3 + 11.8 - 15.59)
    assert grade("## Another computer\n\nRemember another important hospital.", "en") == pytest.approx(
        0.39 * 3 + 11.8 * 3 - 15.59
    )


def test_wiener_sachtextformel_by_hand() -> None:
    """Two sentences of two words; of the four one has three syllables and more than six letters, two have one."""
    assert grade("Computer lernen. Ja nein.", "de") == pytest.approx(
        0.1935 * 25 + 0.1672 * 2 + 0.1297 * 25 - 0.0327 * 50 - 0.875
    )


def test_a_language_without_a_formula_is_not_guessed() -> None:
    with pytest.raises(Exception, match="patients.reading-level"):
        grade("Bonjour.", "fr")
