"""DICOM and PNG files become a file that trains; what cannot be used is named; no tag but the pixels comes along."""

from __future__ import annotations

import contextlib
import csv
import json
from collections import Counter

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, SecondaryCaptureImageStorage
from typer.testing import CliRunner

from training.errors import DataRefused
from training.site import dicom
from training.site.cli import app
from training.site.images import load
from training.site.prepare import prepare

SECRET = "Silvia Canary"


def scan(path, bits=12, **changes):
    """A scan of 40 x 30 pixels, dark on the left and bright on the right; a change of None takes a tag away."""
    found = pydicom.Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.SOPClassUID = found.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    found.SOPInstanceUID = found.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    found.PatientName, found.PatientBirthDate, found.Modality = SECRET, "19500101", "CR"
    found.add_new((0x0011, 0x1001), "LO", SECRET)
    found.Rows, found.Columns, found.SamplesPerPixel, found.PixelRepresentation = 40, 30, 1, 0
    found.BitsAllocated, found.BitsStored, found.HighBit = (8 if bits == 8 else 16), bits, bits - 1
    found.PhotometricInterpretation = "MONOCHROME2"
    pixels = np.zeros((40, 30), np.uint8 if bits == 8 else np.uint16)
    pixels[:, 15:] = 2**bits - 1
    found.PixelData = pixels.tobytes()
    for name, value in changes.items():
        if value is None:
            delattr(found, name)
        elif name == "TransferSyntaxUID":
            found.file_meta.TransferSyntaxUID = value
            found.PixelData = pydicom.encaps.encapsulate([b"no image at all"])
        else:
            setattr(found, name, value)
    found.save_as(path, enforce_file_format=True)


def listed(folder, rows, columns=("patient", "file", "label")):
    path = folder / "list.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_every_depth_becomes_dark_to_bright(tmp_path, bits):
    scan(tmp_path / "scan.dcm", bits)
    image = dicom.read(tmp_path / "scan.dcm", Counter())
    assert image.dtype == np.float32 and image.shape == (40, 30)
    assert not image[:, :15].any() and (image[:, 15:] == 1).all()


def test_what_is_stored_inverted_is_turned(tmp_path):
    scan(tmp_path / "scan.dcm", PhotometricInterpretation="MONOCHROME1")
    image = dicom.read(tmp_path / "scan.dcm", Counter())
    assert (image[:, :15] == 1).all() and not image[:, 15:].any()


def test_only_pixels_come_along_and_the_report_counts_what_did_not(tmp_path):
    for number in range(2):
        scan(tmp_path / f"{number}.dcm")
    Image.fromarray(np.full((28, 28), 51, np.uint8)).save(tmp_path / "plain.png")
    rows = [("a", "0.dcm", "1"), ("a", "1.dcm", "1"), ("b", "plain.png", "0")]
    shown = CliRunner().invoke(app, ["prepare", str(listed(tmp_path, rows)), str(tmp_path / "chest.npz")])
    assert shown.exit_code == 0, shown.exception
    records = load(tmp_path / "chest.npz")
    assert records.patients == ("a", "a", "b") and records.labels.tolist() == [1, 1, 0]
    assert (records.features[0, 0, :, :13] == -1).all() and (records.features[0, 0, :, 15:] == 1).all()
    assert records.features[2] == pytest.approx(np.full((1, 28, 28), -0.6))
    report = json.loads((tmp_path / "chest.report.json").read_text())
    assert report["used"] == 3 and not report["failed"]
    assert report["removed"] == dict.fromkeys(
        ("(0011,1001)", "Modality", "PatientBirthDate", "PatientName", "SOPClassUID", "SOPInstanceUID"), 2
    )
    everything = b"".join(path.read_bytes() for path in tmp_path.glob("chest.*"))
    assert SECRET.encode() not in everything and "\0".join(SECRET).encode() not in everything
    assert (tmp_path / "chest.report.json").stat().st_mode & 0o77 == 0


BAD = [
    ("data.no-pixels", {"PixelData": None}),
    ("data.bit-depth", {"PixelRepresentation": 1}),
    ("data.bit-depth", {"HighBit": 15}),  # the values would stand four bits higher
    ("data.colour", {"SamplesPerPixel": 3}),
    ("data.colour", {"NumberOfFrames": 2, "Rows": 20}),
    ("data.rescaled", {"RescaleSlope": "-1", "RescaleIntercept": "4095"}),  # black is white
    ("data.rescaled", {"RescaleSlope": "1", "RescaleIntercept": "-1024"}),
    ("data.rescaled", {"ModalityLUTSequence": []}),
    ("data.burnt-in", {"BurnedInAnnotation": "YES"}),
    ("data.burnt-in", {"BurnedInAnnotation": ["NO", "YES"]}),
    ("data.pixels", {"Rows": 400}),
    ("data.pixels", {"Rows": None}),
    ("data.pixels", {"Rows": [40, 30]}),
    ("data.pixels", {"PixelData": b""}),
    ("data.not-dicom", {"BitsStored": [12, 12]}),
    ("data.compressed", {"TransferSyntaxUID": JPEG2000Lossless}),
]


@pytest.mark.parametrize(("code", "changes"), BAD)
def test_a_scan_that_cannot_be_used_is_left_out_and_named(tmp_path, code, changes):
    scan(tmp_path / "bad.dcm", **changes)
    scan(tmp_path / "good.dcm")
    report = prepare(listed(tmp_path, [("a", "bad.dcm", "1"), ("b", "good.dcm", "0")]), tmp_path / "chest.npz")
    assert (report.used, report.failed) == (1, {"bad.dcm": code})
    assert load(tmp_path / "chest.npz").patients == ("b",)


def test_a_header_that_says_that_pixels_are_seen_as_stored_is_no_reason_to_leave_a_scan_out(tmp_path):
    scan(tmp_path / "scan.dcm", RescaleSlope="1.0", RescaleIntercept="0", NumberOfFrames=1, BurnedInAnnotation="NO")
    assert dicom.read(tmp_path / "scan.dcm", Counter()).max() == 1


def test_whatever_becomes_of_a_header_one_file_ends_no_preparation_and_no_log_repeats_it(tmp_path, caplog, recwarn):
    scan(tmp_path / "scan.dcm")
    whole, random = (tmp_path / "scan.dcm").read_bytes(), np.random.default_rng(6)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in random.integers(132, 700, random.integers(1, 4)):
            damaged[place] = random.integers(256)
        (tmp_path / "damaged.dcm").write_bytes(damaged)
        with contextlib.suppress(DataRefused):
            dicom.read(tmp_path / "damaged.dcm", Counter())
    assert SECRET not in caplog.text and not [one for one in recwarn if SECRET in str(one.message)]


def test_an_image_of_two_patients_is_nobodys(tmp_path):
    for name in ("one", "shared"):
        scan(tmp_path / f"{name}.dcm")
    rows = [("a", "shared.dcm", "1"), ("b", "one.dcm", "1"), ("b", "shared.dcm", "1")]
    report = prepare(listed(tmp_path, rows), tmp_path / "chest.npz")
    assert (report.used, report.failed) == (1, {"shared.dcm": "data.two-patients"})


def test_files_that_cannot_be_used_are_left_out_and_named(tmp_path):
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "empty.png").touch()
    (tmp_path / "words.dcm").write_text("not a scan")
    (tmp_path / "words.png").write_text("not a picture")
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "colour.png")
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(tmp_path / "deep.png")
    scan(tmp_path / "good.dcm")
    expected = {
        "empty.dcm": "data.empty", "empty.png": "data.empty", "words.dcm": "data.not-dicom",
        "words.png": "data.pixels", "colour.png": "data.bit-depth", "deep.png": "data.bit-depth",
        "gone.dcm": "data.missing-file", "../list.csv": "data.outside", "nul\0.dcm": "data.missing-file",
        f"{'long' * 80}.dcm": "data.missing-file",
    }  # fmt: skip
    rows = [*(("a", file, "1") for file in expected), ("b", "good.dcm", "1"), ("b", "good.dcm", "1.0")]
    report = prepare(listed(tmp_path, rows), tmp_path / "chest.npz")
    assert report.failed == expected | {"good.dcm": "data.unknown-value"} and report.used == 1


@pytest.mark.parametrize(
    ("rows", "columns", "code"),
    [
        ([("a", "scan.dcm")], ("patient", "file"), "data.missing-column"),
        ([("", "scan.dcm", "1")], ("patient", "file", "label"), "data.empty-cell"),
        ([("a", "gone.dcm", "1")], ("patient", "file", "label"), "data.empty"),
        ([], ("patient", "file", "label"), "data.empty"),
        ([("a", "scan.dcm", "1", "0")], ("patient", "file", "label", "label"), "data.repeated-column"),
        ([("a", "x" * 140_000, "1")], ("patient", "file", "label"), "data.truncated"),
    ],
)
def test_a_list_that_does_not_fit_is_refused_and_nothing_is_written(tmp_path, rows, columns, code):
    with pytest.raises(DataRefused) as refusal:
        prepare(listed(tmp_path, rows, columns), tmp_path / "chest.npz")
    assert refusal.value.code == code and not (tmp_path / "chest.npz").exists()
    assert code != "data.empty" or ("data.missing-file (1)" if rows else "it lists none") in refusal.value.message


def test_a_quotation_mark_that_is_not_closed_swallows_no_line(tmp_path):
    scan(tmp_path / "scan.dcm")
    (tmp_path / "list.csv").write_text('patient,file,label\na,"scan.dcm,1\nb,scan.dcm,0\n')
    with pytest.raises(DataRefused) as refusal:
        prepare(tmp_path / "list.csv", tmp_path / "chest.npz")
    assert refusal.value.code == "data.truncated" and not (tmp_path / "chest.npz").exists()


def test_the_command_writes_over_nothing(tmp_path):
    (tmp_path / "chest.npz").touch()
    shown = CliRunner().invoke(app, ["prepare", str(tmp_path / "list.csv"), str(tmp_path / "chest.npz")])
    assert isinstance(shown.exception, DataRefused) and shown.exception.code == "data.target"
