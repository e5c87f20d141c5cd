"""The few diseases that presets and purposes name, with Mondo's codes and the part of its hierarchy among them.

A bundled excerpt, not the ontology: a disease that is not listed here covers nothing and is covered by nothing, so what
we do not know never widens a consent.

    >>> covers("MONDO:0005267", "MONDO:0005010"), covers("MONDO:0005010", "MONDO:0005267")
    (True, False)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from consent.errors import ConsentError


@dataclass(frozen=True, slots=True)
class Disease:
    """One disease: Mondo's code and label, words for patients, and the codes of the wider diseases right above it."""

    code: str
    label: str
    plain: str
    parents: tuple[str, ...] = ()


HEART = "MONDO:0005267"
CANCER = "MONDO:0004992"
DIABETES = "MONDO:0005015"
LUNG = "MONDO:0005275"

DISEASES = MappingProxyType(
    {
        disease.code: disease
        for disease in (
            Disease("MONDO:0004995", "cardiovascular disorder", "illness of the heart or the blood vessels"),
            Disease(HEART, "heart disorder", "heart disease", ("MONDO:0004995",)),
            Disease("MONDO:0005010", "coronary artery disorder", "narrowed heart arteries", (HEART,)),
            Disease("MONDO:0005252", "heart failure", "a weak heart", (HEART,)),
            Disease("MONDO:0004994", "cardiomyopathy", "illness of the heart muscle", (HEART,)),
            Disease(DIABETES, "diabetes mellitus", "diabetes"),
            Disease("MONDO:0005147", "type 1 diabetes mellitus", "type 1 diabetes", (DIABETES,)),
            Disease("MONDO:0005148", "type 2 diabetes mellitus", "type 2 diabetes", (DIABETES,)),
            Disease(CANCER, "cancer", "cancer"),
            Disease("MONDO:0007254", "breast cancer", "breast cancer", (CANCER,)),
            Disease("MONDO:0008903", "lung cancer", "lung cancer", (CANCER, LUNG)),
            Disease(LUNG, "lung disorder", "illness of the lungs"),
            Disease("MONDO:0005002", "chronic obstructive pulmonary disease", "a long lung illness (COPD)", (LUNG,)),
            Disease("MONDO:0005249", "pneumonia", "infected lungs (pneumonia)", (LUNG,)),
        )
    }
)


def disease(code: str) -> Disease:
    """The disease of `code`; raises ConsentError `diseases.unknown`."""
    if code not in DISEASES:
        raise ConsentError("diseases.unknown", f"{code} is not among the diseases we know", disease=code)
    return DISEASES[code]


@cache
def wider(code: str) -> frozenset[str]:
    """`code` and every wider disease; nothing for an unknown code."""
    if code not in DISEASES:
        return frozenset()
    return frozenset({code}).union(*(wider(parent) for parent in DISEASES[code].parents))


def covers(allowed: str, wanted: str) -> bool:
    """Whether research on `wanted` is research on `allowed`: the same disease or a kind of it. Unknown codes: never."""
    return allowed in wider(wanted)
