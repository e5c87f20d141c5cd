"""A plan's privacy part is checked whole before anything trains."""

from __future__ import annotations

import pytest

from training.errors import PrivacyRefused
from training.federation.studies import Privacy
from training.privacy.mechanism import Mechanism

PLAN = {
    "clip": "1.5", "sigma": "2.5", "q": "0.4", "steps": 5, "delta": "0.0001", "records_per_patient": 1,
    "unit": "patient",
}  # fmt: skip


def test_a_plan_as_mapping_or_struct_is_the_same_mechanism():
    mechanism = Mechanism.of(PLAN)
    assert mechanism == Mechanism.of(Privacy(**PLAN))
    assert (mechanism.noise, mechanism.event.q, mechanism.event.steps) == (3.75, 0.4, 5)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"clip": "0"}, "privacy.clip"),
        ({"clip": "inf"}, "privacy.clip"),
        ({"sigma": "0"}, "privacy.sigma"),
        ({"sigma": "1e999"}, "privacy.sigma"),
        ({"sigma": "two"}, "privacy.sigma"),
        ({"q": "0"}, "privacy.q"),
        ({"q": "1.01"}, "privacy.q"),
        ({"q": "NaN"}, "privacy.q"),
        ({"steps": 0}, "privacy.steps"),
        ({"delta": "1"}, "privacy.delta"),
        ({"records_per_patient": 0}, "privacy.records"),
        ({"unit": "record"}, "privacy.unit"),
        ({"unit": "image", "records_per_patient": 2}, "privacy.records"),
        ({"sigma": 2.5}, "privacy.malformed"),
        ({"seed": "7"}, "privacy.malformed"),
    ],
)
def test_what_is_out_of_range_is_refused(change, code):
    with pytest.raises(PrivacyRefused) as refusal:
        Mechanism.of(PLAN | change)
    assert refusal.value.code == code


def test_an_image_is_a_unit_where_each_stands_for_itself():
    assert Mechanism.of(PLAN | {"unit": "image"}) == Mechanism.of(PLAN)


def test_a_missing_parameter_is_refused():
    with pytest.raises(PrivacyRefused) as refusal:
        Mechanism.of({name: value for name, value in PLAN.items() if name != "clip"})
    assert refusal.value.code == "privacy.malformed" and "clip" in refusal.value.message
