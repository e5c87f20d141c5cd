"""A hospital's survival table is checked whole or not loaded; held-out patients are drawn by whether they died."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from training.errors import DataRefused
from training.models import failure as network
from training.site import failure
from training.site.failure import COLUMNS, load, write_csvs
from training.site.split import split
from training.site.trainer import evaluate


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    return write_csvs(tmp_path_factory.mktemp("failure"), 3)


def test_the_public_patients_are_dealt_out_and_nobody_twice(public):
    parts = [load(path) for path in public]
    assert [len(part) for part in parts] == [100, 100, 99]
    assert len({person for part in parts for person in part.people}) == 299
    assert sum(int(part.strata.sum()) for part in parts) == 96  # deaths, as the paper counts them
    assert all(part.transformation == failure.TRANSFORMATION for part in parts)


def test_a_line_becomes_features_and_a_label(public):
    with public[0].open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    records = load(public[0])
    assert (first["age"], first["ejection_fraction"], first["platelets"], first["time"]) == ("75", "20", "265000", "4")
    expected = [0.4, 582 / 750 - 1, -9 / 11, 165 / 175 - 1, 0.2, 2 * 5 / 23 - 1, -1, -1, 1, 1, -1]
    assert records.features[0] == pytest.approx(expected, abs=1e-6)
    assert records.labels[0] == network.label(4, True) == 1
    assert np.abs(records.features).max() <= 1


def test_held_out_patients_are_drawn_in_proportion_of_deaths(public):
    records = load(public[1])
    parts, died = split(records, 42), dict(zip(records.patients, records.strata, strict=True))
    assert len(parts.held_out) == 34
    assert sum(died[name] for name in parts.held_out) == round(34 * records.strata.mean())
    kept = records.of(parts.held_out)
    assert kept.strata.tolist() == [died[name] for name in kept.patients]


def test_who_was_lost_early_is_in_neither_count(public):
    records = load(public[0])
    weights = np.zeros(18, np.float32)  # a hazard of one half in each interval: nobody lives
    labels = records.labels
    died, known = (labels % 2 == 1) & (labels < 8), (labels >= 8) | (labels % 2 == 1)
    found = evaluate(weights, records.features, labels, records.owners, network.DEFAULTS.configuration())
    assert found == (int(died.sum()), int(known.sum())) and known.sum() < len(records)
    nobody = evaluate(weights, records.features[:0], labels[:0], records.owners[:0], network.DEFAULTS.configuration())
    assert nobody == (0, 0)


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("time", "", "data.empty-cell"),
        ("time", "soon", "data.not-a-number"),
        ("time", "-1", "data.out-of-range"),
        ("time", "40000", "data.out-of-range"),
        ("DEATH_EVENT", "2", "data.unknown-value"),
        ("DEATH_EVENT", "yes", "data.unknown-value"),
        ("sex", "M", "data.unknown-value"),
        ("serum_sodium", "nan", "data.not-a-number"),
        ("ejection_fraction", "0.38", "data.out-of-range"),
        ("id", "failure-004", "data.duplicate-patient"),
    ],
)
def test_a_cell_that_does_not_fit_is_refused_naming_line_and_column(public, tmp_path, column, value, code):
    lines = public[0].read_text(encoding="utf-8").splitlines()
    cells = lines[1].split(",")
    cells[COLUMNS.index(column)] = value
    if column == "id":
        lines[2] = ",".join([value, *lines[2].split(",")[1:]])
    path = tmp_path / "broken.survival.csv"
    path.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n", encoding="utf-8")
    with pytest.raises(DataRefused) as refusal:
        load(path)
    assert refusal.value.code == code and f"column {column}" in refusal.value.message
    assert "line " in refusal.value.message and (not value or value not in refusal.value.message.split("column", 1)[1])


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(public, tmp_path, column):
    path = tmp_path / "narrow.survival.csv"
    with public[0].open(encoding="utf-8", newline="") as source, path.open("w", encoding="utf-8", newline="") as target:
        rows = list(csv.DictReader(source))
        writer = csv.DictWriter(target, [name for name in COLUMNS if name != column], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(DataRefused) as refusal:
        load(path)
    assert refusal.value.code == "data.missing-column" and column in refusal.value.message
