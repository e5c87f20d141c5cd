"""The ontology's own file is read, and tells where the bundled excerpt is wrong."""

from __future__ import annotations

import pytest

from consent import mondo
from consent.diseases import DISEASES
from consent.errors import ConsentError
from tests.unit.consent.examples import CORONARY, HEART


def obo(**changed: str) -> list[str]:
    """The excerpt as the ontology's file would write it, among other things; `changed`: lines by code."""
    lines = ["format-version: 1.2", "", "[Term]", "id: MONDO:0000001", "name: disease"]
    for code, disease in DISEASES.items():
        parents = [f"is_a: {parent} ! its parent" for parent in disease.parents or ("MONDO:0000001",)]
        lines += ["", "[Term]", f"id: {code}", f"name: {disease.label}", 'def: "a disease: of some kind" []']
        lines += changed[code].split("; ") if code in changed else parents
    return [*lines, "", "[Typedef]", "id: part_of", "is_a: MONDO:0004995"]


def test_an_excerpt_of_the_file_agrees_with_it() -> None:
    assert mondo.differences(mondo.read_obo(obo())) == []


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("is_obsolete: true", f"{CORONARY} (coronary artery disorder) is obsolete in Mondo"),
        (f"name: heart attack; is_a: {HEART}", None),  # the first name counts
        ("is_a: MONDO:0000001", f"{CORONARY} (coronary artery disorder) is no kind of {HEART} in Mondo"),
        (
            f"is_a: {HEART}; is_a: MONDO:0005275",
            f"{CORONARY} (coronary artery disorder) is a kind of MONDO:0005275 in Mondo, and not here",
        ),
    ],
)
def test_what_is_wrong_is_named(line: str, sentence: str | None) -> None:
    found = mondo.differences(mondo.read_obo(obo(**{CORONARY: line})))
    assert (sentence in found) if sentence else (found == [])


def test_a_new_name_and_a_missing_disease_are_named() -> None:
    lines = [line.replace("heart disorder", "disorder of the heart") for line in obo()]
    assert mondo.differences(mondo.read_obo(lines)) == [
        f"{HEART} is called disorder of the heart in Mondo, and heart disorder here"
    ]
    missing = [line.replace(f"id: {CORONARY}", "id: MONDO:9") for line in obo()]
    assert f"{CORONARY} (coronary artery disorder) is unknown in Mondo" in mondo.differences(mondo.read_obo(missing))


def test_a_kind_of_a_kind_is_found_through_diseases_that_are_not_bundled() -> None:
    between = ["[Term]", "id: MONDO:7", "name: between", f"is_a: {HEART}"]
    assert mondo.differences(mondo.read_obo([*obo(**{CORONARY: "is_a: MONDO:7"}), *between])) == []


def test_a_file_without_diseases_is_refused() -> None:
    with pytest.raises(ConsentError, match=r"mondo\.malformed"):
        mondo.read_obo(["<html>", "not found"])
