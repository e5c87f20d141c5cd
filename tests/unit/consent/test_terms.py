"""DUO, diseases, presets and purposes: what we know is listed, what we do not know is refused or covers nothing."""

from __future__ import annotations

from typing import Any

import pytest

from consent import canonical, diseases, duo, presets
from consent.errors import ConsentError
from consent.purpose import Purpose
from tests.unit.consent.examples import CANCER, CORONARY, HEART


def test_disease_stands_under_health_under_general_and_the_others_apart() -> None:
    above = {code: [term.shorthand for term in duo.generalisations(code)] for code in duo.PERMISSIONS}
    assert above[duo.DS] == ["DS", "HMB", "GRU"]
    assert [above[code] for code in (duo.HMB, duo.GRU, duo.POA, duo.NRES)] == [
        ["HMB", "GRU"],
        ["GRU"],
        ["POA"],
        ["NRES"],
    ]


def test_the_eight_digit_code_is_read_as_the_seven_digit_one() -> None:
    assert duo.term("DUO:00000044") is duo.term("DUO:0000044")


@pytest.mark.parametrize("code", ["DUO:9999999", "DUO:0000001", "", "duo:0000007", "DUO:0000007 ", "DS"])
def test_an_unknown_code_is_refused(code: str) -> None:
    with pytest.raises(ConsentError) as refusal:
        duo.term(code)
    assert refusal.value.code == "duo.unknown"


@pytest.mark.parametrize("code", sorted(duo.OBSOLETE))
def test_an_obsolete_code_is_refused(code: str) -> None:
    with pytest.raises(ConsentError) as refusal:
        duo.term(code)
    assert refusal.value.code == "duo.obsolete"


def test_a_disease_covers_itself_and_what_is_below() -> None:
    assert diseases.covers(HEART, HEART)
    assert diseases.covers("MONDO:0004995", CORONARY)
    assert not diseases.covers(CORONARY, HEART)
    assert not diseases.covers(HEART, CANCER)


def test_an_unknown_disease_covers_nothing_not_even_itself() -> None:
    assert not diseases.covers("MONDO:1", "MONDO:1")
    assert not diseases.covers(HEART, "MONDO:1")
    with pytest.raises(ConsentError, match=r"diseases\.unknown"):
        diseases.disease("MONDO:1")


def test_every_parent_is_listed() -> None:
    for disease in diseases.DISEASES.values():
        assert set(disease.parents) <= diseases.DISEASES.keys()


def test_every_preset_names_terms_that_we_know() -> None:
    for terms in presets.PRESETS.values():
        assert set(terms.permissions) <= duo.PERMISSIONS.keys()
        assert set(terms.modifiers) <= duo.MODIFIERS.keys()
        assert set(terms.diseases) <= diseases.DISEASES.keys()
    with pytest.raises(ConsentError, match=r"presets\.unknown"):
        presets.preset("everything")


def test_one_purpose_has_one_digest() -> None:
    one = Purpose.of(duo.DS, [CANCER, HEART, CORONARY, CANCER])
    assert one == Purpose(duo=duo.DS, diseases=(CANCER, HEART))
    assert one.digest() == Purpose.of(duo.DS, (HEART, CANCER)).digest()
    assert canonical.decode_as(canonical.encode(one), Purpose) == one


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"duo": duo.NRES}, "purpose.kind"),
        ({"duo": "DUO:0000043"}, "purpose.kind"),
        ({"duo": "DUO:9999999"}, "purpose.kind"),
        ({"duo": duo.DS}, "purpose.diseases"),
        ({"duo": duo.HMB, "diseases": (HEART,)}, "purpose.diseases"),
        ({"duo": duo.DS, "diseases": (HEART, CANCER)}, "purpose.diseases"),
        ({"duo": duo.DS, "diseases": (HEART, HEART)}, "purpose.diseases"),
        ({"duo": duo.DS, "diseases": (CORONARY, HEART)}, "purpose.diseases"),
        ({"duo": duo.DS, "diseases": ("MONDO:1",)}, "diseases.unknown"),
    ],
)
def test_a_purpose_out_of_its_normal_form_is_refused(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(ConsentError) as refusal:
        Purpose(**fields)
    assert refusal.value.code == code
    plain = {"diseases": []}
    with pytest.raises(ConsentError) as refusal:
        canonical.decode_as(canonical.encode(plain | fields), Purpose)
    assert refusal.value.code == code
