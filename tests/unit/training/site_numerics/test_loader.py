"""A hospital's file is loaded whole and right, or refused with file, line, column and remedy, and nothing is loaded."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from training.errors import DataRefused
from training.site import heart
from training.site.loader import load

HEADING = ",".join(heart.COLUMNS)
GOOD = "17,63,Male,Cleveland,typical angina,145,233,TRUE,lv hypertrophy,150,FALSE,2.3,downsloping,0,fixed defect,0"
SECOND = "18,41,Female,Cleveland,atypical angina,130,204,FALSE,normal,172,FALSE,1.4,,,,2"


@pytest.fixture
def write(tmp_path):
    def write(*lines, end="\n", encoding="utf-8"):
        path = tmp_path / "hospital.csv"
        path.write_bytes(("\n".join(lines) + end).encode(encoding))
        return path

    return write


def refused(path):
    with pytest.raises(DataRefused) as refusal:
        load(path)
    assert path.name in refusal.value.message
    return refusal.value


def cell(line, column, value):
    cells = line.split(",")
    cells[heart.COLUMNS.index(column)] = value
    return ",".join(cells)


def test_two_patients_by_hand(write):
    records = load(write(HEADING, GOOD, SECOND))
    assert records.patients == ("17", "18")
    assert records.labels.tolist() == [0, 1]
    assert records.features.dtype == np.float32
    assert records.features[0] == pytest.approx(
        [33 / 50 * 2 - 1, 0, 133 / 300 * 2 - 1, 90 / 140 * 2 - 1, 3.3 / 5 * 2 - 1, 1, 1, -1, 0, 0, 1, 0, 0], abs=1e-6
    )
    assert records.features[1, 5:].tolist() == [-1, -1, -1, 1, 0, 0, 1, 0]
    assert records.owners.tolist() == [0, 1]


def test_values_beyond_the_clinical_range_stop_at_its_ends(write):
    records = load(write(HEADING, cell(cell(GOOD, "chol", "603"), "trestbps", "0")))
    assert records.features[0, 2] == 1 and records.features[0, 1] == -1


def test_the_four_hospitals(hospitals):
    assert {name: len(records) for name, records in hospitals.items()} == {
        "cleveland": 304, "hungary": 260, "switzerland": 46, "va-long-beach": 130,
    }  # fmt: skip
    patients = [patient for records in hospitals.values() for patient in records.patients]
    assert len(set(patients)) == 740
    for records in hospitals.values():
        assert records.features.shape == (len(records), heart.FEATURES)
        assert abs(records.features).max() <= 1 and set(records.labels.tolist()) == {0, 1}


def test_writing_again_writes_the_same_bytes(csvs, hospitals, tmp_path):
    command = [sys.executable, "-m", "training.site.heart", str(tmp_path / "again")]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for name, path in csvs.items():
        again = (tmp_path / "again" / path.name).read_bytes()
        assert again == path.read_bytes() and str(path.name) in shown
        assert hospitals[name].raw == hashlib.sha256(again).hexdigest()


def test_the_transformation_has_a_name_and_a_fixed_digest():
    """A change of ranges, order or values must take a new name: this digest stands in catalogues."""
    assert heart.TRANSFORMATION == "fed-heart-1@c6d1b2626c7cef4e46544c4507e183a86080fabd7c54521bd26c767f1e1694f7"


def test_exactly_the_cohort_is_taken(hospitals):
    records = hospitals["switzerland"]
    wanted = records.patients[3:30:4]
    chosen = records.of(reversed(wanted))
    assert chosen.patients == wanted
    assert (chosen.features == records.features[3:30:4]).all() and (chosen.labels == records.labels[3:30:4]).all()
    assert len(records.of([])) == 0


def test_a_patient_without_a_record_is_refused(hospitals):
    with pytest.raises(DataRefused) as refusal:
        hospitals["switzerland"].of(["nobody"])
    assert refusal.value.code == "data.unknown-patient" and "nobody" not in str(refusal.value.args)


def test_a_byte_order_mark_and_foreign_line_ends_are_fine(write):
    assert len(load(write(HEADING, GOOD, SECOND, encoding="utf-8-sig"))) == 2
    assert len(load(write(HEADING, GOOD + "\r", SECOND + "\r", end="\n"))) == 2


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("age", "sixty", "data.not-a-number"),
        ("age", "nan", "data.not-a-number"),
        ("age", "6_3", "data.not-a-number"),
        ("chol", "inf", "data.not-a-number"),
        ("chol", "1e999", "data.not-a-number"),
        ("age", "", "data.empty-cell"),
        ("age", "  ", "data.empty-cell"),
        ("id", "", "data.empty-cell"),
        ("num", "", "data.empty-cell"),
        ("age", "-4", "data.out-of-range"),
        ("age", "630", "data.out-of-range"),
        ("trestbps", "14.5e3", "data.out-of-range"),
        ("thalch", "0", "data.out-of-range"),
        ("num", "5", "data.out-of-range"),
        ("num", "0.5", "data.out-of-range"),
        ("sex", "male", "data.unknown-value"),
        ("fbs", "1", "data.unknown-value"),
        ("cp", "angina", "data.unknown-value"),
        ("restecg", "ok", "data.unknown-value"),
        ("id", "18", "data.duplicate-patient"),
        ("id", " 18 ", "data.duplicate-patient"),
    ],
)
def test_an_odd_cell_is_named_by_line_and_column(write, column, value, code):
    refusal = refused(write(HEADING, SECOND, cell(GOOD, column, value)))
    assert refusal.code == code
    assert (refusal.context["line"], refusal.context["column"]) == (3, column)
    assert "line 3" in refusal.message and f"column {column}" in refusal.message


@pytest.mark.parametrize(("column", "value"), [("age", "canary-4711"), ("sex", "canary-4711"), ("id", "18")])
def test_an_error_never_repeats_what_the_cell_held(write, column, value):
    refusal = refused(write(HEADING, SECOND, cell(GOOD, column, value)))
    assert "canary-4711" not in f"{refusal!r}{refusal.context}"
    assert refusal.__cause__ is None


@pytest.mark.parametrize("column", heart.COLUMNS)
def test_a_missing_column_is_named(write, column):
    keep = [place for place, name in enumerate(heart.COLUMNS) if name != column]
    lines = [",".join(line.split(",")[place] for place in keep) for line in (HEADING, GOOD)]
    refusal = refused(write(*lines))
    assert (refusal.code, refusal.context["column"]) == ("data.missing-column", column)


def test_a_repeated_column_is_named(write):
    refusal = refused(write(HEADING + ",age", GOOD + ",63"))
    assert (refusal.code, refusal.context["column"]) == ("data.repeated-column", "age")


def test_a_file_cut_short_anywhere_is_never_half_loaded(write):
    whole = "\n".join([HEADING, GOOD, SECOND]) + "\n"
    lines = {len(HEADING) + 1: 0, len(HEADING) + len(GOOD) + 2: 1}  # cut between lines: a smaller, whole file
    for length in range(len(whole)):
        path = write(whole[:length], end="")
        if length in lines and lines[length]:
            assert len(load(path)) == lines[length]
        else:
            assert refused(path).code in {"data.truncated", "data.empty"}


def test_an_open_quotation_mark_is_a_cut_file(write):
    assert refused(write(HEADING, GOOD, '18,"41')).code == "data.truncated"


@pytest.mark.parametrize("lines", [(GOOD + ",more",), (SECOND, ""), (GOOD[:20],)])
def test_a_line_of_another_length_is_named(write, lines):
    refusal = refused(write(HEADING, *lines))
    assert refusal.code == "data.cells" and refusal.context["line"] in (2, 3)


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n\n", (HEADING + "\n").encode()])
def test_an_empty_file_is_refused(tmp_path, content):
    path = tmp_path / "hospital.csv"
    path.write_bytes(content)
    assert refused(path).code == "data.empty"


def test_what_is_not_text_is_refused(tmp_path):
    path = tmp_path / "hospital.csv"
    path.write_bytes(b"\xff\xfe\x00i\x00d")
    assert refused(path).code == "data.encoding"
    path.write_bytes((HEADING + "\n" + GOOD + "\n").encode("utf-16"))
    assert refused(path).code == "data.encoding"
    path.write_bytes((HEADING + "\n\x00\n").encode())
    assert refused(path).code in {"data.cells", "data.truncated"}


def test_a_missing_file_is_refused(tmp_path):
    assert refused(tmp_path / "nowhere.csv").code == "data.missing-file"
    assert refused(tmp_path).code == "data.missing-file"
