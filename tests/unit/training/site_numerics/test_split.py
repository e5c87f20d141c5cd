"""The split is FLamby's, fixed by file and seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from training.errors import DataRefused
from training.site.split import split


@pytest.mark.parametrize("seed", [0, 42, 43, 44, 45, 46, 2**32 - 1])
def test_it_is_scikit_learns(hospitals, seed):
    for records in hospitals.values():
        counts = np.bincount(records.labels, minlength=2)
        stratify = records.labels if counts.min() > 2 else None
        train, held = train_test_split(
            np.arange(len(records)), test_size=1 - 0.66, train_size=0.66, random_state=seed, stratify=stratify
        )
        ours = split(records, seed)
        assert ours.training == tuple(records.patients[place] for place in sorted(train))
        assert ours.held_out == tuple(records.patients[place] for place in sorted(held))


def test_nobody_is_in_both_and_nobody_in_neither(hospitals):
    sizes = {}
    for name, records in hospitals.items():
        parts = split(records, 42)
        assert sorted(parts.training + parts.held_out) == sorted(records.patients)
        sizes[name] = (len(parts.training), len(parts.held_out))
    assert sizes == {"cleveland": (200, 104), "hungary": (171, 89), "switzerland": (30, 16), "va-long-beach": (85, 45)}


def test_a_rare_label_is_split_without_strata(hospitals):
    records = hospitals["switzerland"]
    labels = np.ones(len(records), np.int64)
    labels[:2] = 0
    parts = split(replace(records, labels=labels), 3)
    assert len(parts.held_out) == 16


def test_too_few_to_split_are_refused(hospitals):
    records = hospitals["switzerland"]
    with pytest.raises(DataRefused) as refusal:
        split(records.of(records.patients[:2]), 1)
    assert refusal.value.code == "data.too-small"
