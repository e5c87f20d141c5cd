"""A hospital's file of images is checked whole or not loaded; patients keep all their images together."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from training.errors import DataRefused
from training.site import arrays as arrays_of_a_file
from training.site.chest import share
from training.site.images import load, write
from training.site.loader import LARGEST
from training.site.split import split

RANDOM = np.random.default_rng(8)


def arrays(count=9):
    return {
        "patients": np.array([f"p{place // 2}" for place in range(count)]),
        "images": RANDOM.integers(0, 256, (count, 28, 28)).astype(np.uint8),
        "labels": (np.arange(count) // 2 % 2).astype(np.uint8),
    }


def written(folder, **changes):
    path = folder / "chest.npz"
    np.savez(path, **{name: value for name, value in (arrays() | changes).items() if value is not None})
    return path


def test_what_was_written_is_loaded_scaled_to_minus_one_to_one(tmp_path):
    made = arrays()
    made["images"][0, 0, :3] = (0, 255, 51)
    write(tmp_path / "chest.npz", list(made["patients"]), made["images"], made["labels"])
    records = load(tmp_path / "chest.npz")
    assert records.features.shape == (9, 1, 28, 28) and records.features.dtype == np.float32
    assert records.features[0, 0, 0, :3] == pytest.approx([-1, 1, -0.6])
    assert records.labels.tolist() == made["labels"].tolist()
    assert records.transformation.startswith("chest-28@") and records.unit == "patient"


def test_a_patient_has_all_images_and_counts_once(tmp_path):
    records = load(written(tmp_path))
    assert records.people == ("p0", "p1", "p2", "p3", "p4") and records.most == 2
    assert records.owners.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    some = records.of(["p3", "p0"])
    assert some.patients == ("p0", "p0", "p3", "p3") and some.owners.tolist() == [0, 0, 1, 1]
    parts = split(records, 42)
    assert sorted((*parts.training, *parts.held_out)) == list(records.people)
    assert len(parts.held_out) == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"images": None}, "data.missing-array"),
        ({"patients": np.array("p0")}, "data.not-an-archive"),
        ({"labels": np.uint8(1)}, "data.not-an-archive"),
        ({"labels": np.arange(9) // 2 % 2 * 1.0}, "data.unknown-value"),
        ({"patients": np.array([], dtype=np.str_), "images": np.zeros((0, 28, 28), np.uint8),
          "labels": np.zeros(0, np.uint8)}, "data.empty"),
        ({"images": np.zeros((9, 28, 28), np.uint16)}, "data.bit-depth"),
        ({"images": np.zeros((9, 28, 28), np.float32)}, "data.bit-depth"),
        ({"images": np.zeros((9, 28, 27), np.uint8)}, "data.shape"),
        ({"images": np.zeros((8, 28, 28), np.uint8)}, "data.shape"),
        ({"labels": np.zeros(8, np.uint8)}, "data.shape"),
        ({"labels": np.full(9, 2, np.uint8)}, "data.unknown-value"),
        ({"labels": np.full(9, 0.5)}, "data.unknown-value"),
        ({"patients": np.arange(9)}, "data.empty-cell"),
        ({"patients": np.array([" "] * 9)}, "data.empty-cell"),
        ({"patients": np.array([{}] * 9, dtype=object)}, "data.not-an-archive"),
        ({"unit": np.array("record")}, "data.unit"),
        ({"unit": np.array(7)}, "data.unit"),
        ({"unit": np.array(["image", "image"])}, "data.unit"),
        ({"unit": np.array("image")}, "data.unit"),  # a patient has two of them
        ({"unit": np.array({}, dtype=object)}, "data.not-an-archive"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused(tmp_path, changes, code):
    with pytest.raises(DataRefused) as refusal:
        load(written(tmp_path, **changes))
    assert refusal.value.code == code and "chest.npz" in refusal.value.message


def headed(shape):
    """An array's file with a header for `shape`, and no numbers."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize("images", [b"no array", headed((10**15, 28, 28)), headed((10**30,)), headed((-9, 28, 28))])
@pytest.mark.parametrize("flag", [0, 1])
def test_an_array_that_is_none_or_locked_is_refused(tmp_path, images, flag):
    path = written(tmp_path, images=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("images" if images == b"no array" else "images.npy", images)
        archive.infolist()[-1].flag_bits |= flag  # encrypted
    with pytest.raises(DataRefused) as refusal:
        load(path)
    assert refusal.value.code == "data.not-an-archive"


@pytest.mark.parametrize(("data", "code"), [(b"", "data.empty"), (b"PK\x03\x04 no archive", "data.not-an-archive")])
def test_a_file_that_is_no_archive_is_refused(tmp_path, data, code):
    (tmp_path / "chest.npz").write_bytes(data)
    with pytest.raises(DataRefused) as refusal:
        load(tmp_path / "chest.npz")
    assert refusal.value.code == code


def test_half_an_archive_is_refused(tmp_path):
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataRefused) as refusal:
        load(path)
    assert refusal.value.code == "data.not-an-archive"


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused_unread(tmp_path, monkeypatch):
    assert LARGEST == 512 * 2**20
    monkeypatch.setattr(arrays_of_a_file, "LARGEST", 5000)
    with pytest.raises(DataRefused) as refusal:
        load(written(tmp_path))
    assert refusal.value.code == "data.too-large"


@pytest.mark.parametrize("labels", [np.zeros((8, 1), np.uint8), np.full((9, 1), 1.5), np.full((9, 1), 256)])
def test_labels_that_are_none_are_shared_with_nobody(tmp_path, labels):
    np.savez(tmp_path / "source.npz", train_images=arrays()["images"], train_labels=labels)
    with pytest.raises(DataRefused) as refusal:
        share(tmp_path / "source.npz", tmp_path / "shared", 3)
    assert refusal.value.code == "data.not-an-archive" and not (tmp_path / "shared").exists()


def test_damage_to_the_source_is_said_in_one_sentence(tmp_path):
    path = written(tmp_path)
    whole, random = path.read_bytes(), np.random.default_rng(6)
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[random.integers(len(damaged))] ^= 255
        path.write_bytes(damaged[: random.integers(len(damaged))])
        with pytest.raises(DataRefused):
            share(path, tmp_path / "shared", 3)


def test_shared_images_stand_for_themselves_and_none_is_in_two_files(tmp_path):
    source = tmp_path / "source.npz"
    made = arrays(10)
    np.savez(source, train_images=made["images"], train_labels=made["labels"][:, None])
    parts = [load(path) for path in share(source, tmp_path / "shared", 3)]
    people = [person for part in parts for person in part.people]
    assert sorted(people) == [f"image-{place:05}" for place in range(10)]
    assert [len(part) for part in parts] == [4, 3, 3] and all(part.most == 1 for part in parts)
    assert {part.unit for part in parts} == {"image"} and parts[0].of(parts[0].patients[:2]).unit == "image"
    with pytest.raises(DataRefused) as refusal:
        share(written(tmp_path), tmp_path / "again", 3)
    assert refusal.value.code == "data.not-an-archive"
