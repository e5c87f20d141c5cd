"""The public constants of a heart study."""

from __future__ import annotations

import pytest

from consent.cohort import BUCKETS
from training.errors import ModelRefused
from training.models import heart
from training.privacy.events import Gaussian
from training.privacy.mechanism import Mechanism


def test_every_bucket_has_a_nominal_number_inside_its_bounds():
    nominal = [heart.nominal_patients(bucket) for bucket in BUCKETS]
    assert nominal == sorted(nominal)
    for bucket, patients in zip(BUCKETS, nominal, strict=True):
        low, high = (int(bound) for bound in bucket.split("-"))
        assert low * 0.66 - 1 < patients < high


def test_weights_rise_with_the_root_of_the_patients():
    for bucket in BUCKETS:
        assert heart.weight(bucket) ** 2 == pytest.approx(100 * heart.nominal_patients(bucket), rel=0.05)


@pytest.mark.parametrize("bucket", ["", "20", "x-y", "0-9", "49-20", "20-49-80"])
def test_what_is_no_bucket_is_refused(bucket):
    with pytest.raises(ModelRefused) as refusal:
        heart.expected_batch(bucket, "0.5")
    assert refusal.value.code == "model.bucket"


def test_the_defaults_make_a_plan():
    defaults = heart.DEFAULTS
    privacy = {
        "clip": defaults.clip, "sigma": "3", "q": defaults.q, "steps": defaults.local_steps, "delta": defaults.delta,
        "records_per_patient": 1, "unit": "patient",
    }  # fmt: skip
    assert Mechanism.of(privacy).event.steps == defaults.configuration()["local_steps"]
    assert Gaussian(float(defaults.metrics_sigma)).sigma > 0
    assert float(heart.expected_batch("200-499", defaults.q)) == pytest.approx(207 * float(defaults.q))
    assert float(defaults.delta) < 1 / 499
