"""NIfTI files become volumes of one spacing and one window; what does not fit is named with its reason."""

from __future__ import annotations

import gzip
import json
import os

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.support.volumes import ball, spaced, write
from training.errors import DataRefused
from training.site import volumes
from training.site.cli import app
from training.site.nifti import prepare
from training.site.split import split

SHAPE = (40, 36, 20)
AFFINE = spaced(3, 3, 5)


def listed(folder, *rows):
    index = folder / "list.csv"
    index.write_text("".join(f"{','.join(row)}\n" for row in (("patient", "image", "mask"), *rows)))
    return index


def changed(path, change):
    """Write the file again, its voxels and header as `change` leaves them."""
    image = nibabel.load(path)
    made = change(np.asanyarray(image.dataobj).copy(), image.affine, image.header)
    nibabel.save(made, path)


@pytest.mark.parametrize(
    ("shape", "affine"),
    [
        (SHAPE, AFFINE),
        (SHAPE, spaced(-3, -3, 5)),
        ((24, 30, 70), np.array([[0, 0, 2.0, -70], [0, -4.0, 0, 60], [5.0, 0, 0, 10], [0, 0, 0, 1]])),
        ((64, 64, 64), spaced(2, 2, 2)),
    ],
)
def test_the_same_body_is_the_same_volume_however_it_was_stored(tmp_path, shape, affine):
    image, mask = write(tmp_path, "one", shape=shape, affine=affine, radius=24)
    report = prepare(listed(tmp_path, ("p1", image.name, mask.name)), tmp_path / "made.volumes.npz")
    assert (report.used, report.failed) == (1, {})
    records = volumes.load(tmp_path / "made.volumes.npz")
    assert records.features.shape == (1, 1, 32, 32, 32) and records.labels.shape == (1, 32, 32, 32)
    expected = ball((32, 32, 32), spaced(4, 4, 4), 24)
    overlap = 2 * (records.labels[0] * expected).sum() / (records.labels[0].sum() + expected.sum())
    assert overlap > 0.8
    inside, outside = records.features[0, 0][expected == 1], records.features[0, 0][(records.labels[0] == 0)]
    assert inside.mean() == pytest.approx(2 * (60 + 160) / 400 - 1, abs=0.1)  # the window, as -1..1
    assert np.median(outside) in (-1, pytest.approx(2 * (-100 + 160) / 400 - 1, abs=0.1))


def test_what_lies_beyond_the_window_is_black_or_white_and_goes_round_nowhere(tmp_path):
    image, mask = write(tmp_path, "one", shape=SHAPE, affine=AFFINE, radius=20)
    changed(image, lambda v, a, h: nibabel.Nifti1Image(np.where(v > 0, 3000, -2000).astype(np.int16), a))
    prepare(listed(tmp_path, ("p1", image.name, mask.name)), tmp_path / "made.volumes.npz")
    records = volumes.load(tmp_path / "made.volumes.npz")
    middle = records.features[0, 0, 14:18, 14:18, 14:18]
    assert (middle == 1).all() and records.features[0, 0, 16, 16, 30] == -1


def unset(voxels, affine, header):
    image = nibabel.Nifti1Image(voxels, None, header)
    image.header["qform_code"] = image.header["sform_code"] = 0
    return image


def flat(voxels, affine, header):
    header["sform_code"], header["srow_z"] = 1, (0, 0, 0, 0)
    return nibabel.Nifti1Image(voxels, None, header)


def doubled(voxels, affine, header):
    return nibabel.Nifti1Image(np.stack([voxels, voxels], -1), affine)


def holed(voxels, affine, header):
    header.set_data_dtype(np.float32)
    voxels = voxels.astype(np.float32)
    voxels[3, 3, 3] = np.nan
    return nibabel.Nifti1Image(voxels, affine, header)


def disagreeing(voxels, affine, header):
    """The qform has left and right the other way round than the sform."""
    image = nibabel.Nifti1Image(voxels, affine)
    image.set_sform(affine, 1)
    image.set_qform(np.diag([-1, 1, 1, 1]) @ affine, 1)
    return image


def micrometres(voxels, affine, header):
    image = nibabel.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units("micron")
    return image


def typed(path, code):
    """The file's bytes with another data type in its header."""
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[70:72] = code.to_bytes(2, "little")
    return gzip.compress(bytes(data))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda image, mask: image.write_bytes(b""), "data.empty"),
        (lambda image, mask: image.write_bytes(os.urandom(4000)), "data.not-nifti"),
        (lambda image, mask: image.write_bytes(image.read_bytes()[:2000]), "data.pixels"),
        (lambda image, mask: image.unlink(), "data.missing-file"),
        (lambda image, mask: changed(image, unset), "data.no-affine"),
        (lambda image, mask: changed(image, flat), "data.affine"),
        (lambda image, mask: changed(image, holed), "data.not-finite"),
        (lambda image, mask: changed(image, doubled), "data.shape"),
        (lambda image, mask: changed(image, lambda v, a, h: nibabel.Nifti1Image(v.astype(np.complex64), a)),
         "data.bit-depth"),
        (lambda image, mask: changed(image, disagreeing), "data.affine"),
        (lambda image, mask: changed(image, micrometres), "data.affine"),
        (lambda image, mask: changed(image, lambda v, a, h: nibabel.Nifti1Image(v, spaced(400, 400, 400))),
         "data.too-large"),
        (lambda image, mask: image.write_bytes(gzip.compress(bytes(352))), "data.not-nifti"),
        (lambda image, mask: image.write_bytes(typed(image, 27_652)), "data.not-nifti"),
        (lambda image, mask: changed(mask, lambda v, a, h: nibabel.Nifti1Image(v[:-1], a)), "data.mask-space"),
        (lambda image, mask: changed(mask, lambda v, a, h: nibabel.Nifti1Image(v, spaced(3, 3, 4))), "data.mask-space"),
        (lambda image, mask: changed(mask, lambda v, a, h: nibabel.Nifti1Image(v * 2, a)), "data.unknown-value"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_left_out_with_its_reason(tmp_path, damage, code):
    good = write(tmp_path, "good", shape=SHAPE, affine=AFFINE, radius=20)
    bad = write(tmp_path, "bad", shape=SHAPE, affine=AFFINE, radius=20)
    damage(*bad)
    index = listed(tmp_path, ("p1", bad[0].name, bad[1].name), ("p2", good[0].name, good[1].name))
    report = prepare(index, tmp_path / "made.volumes.npz")
    assert report.failed == {bad[0].name: code} and report.used == 1
    assert volumes.load(tmp_path / "made.volumes.npz").patients == ("p2",)


@pytest.mark.parametrize("change", [
    lambda v, a, h: nibabel.Nifti2Image(v, a),
    lambda v, a, h: nibabel.Nifti1Image(v, None, bothwise(h, a)),
])  # fmt: skip
def test_a_second_version_and_two_maps_that_agree_are_taken(tmp_path, change):
    image, mask = write(tmp_path, "one", shape=SHAPE, affine=AFFINE, radius=20)
    changed(image, change)
    report = prepare(listed(tmp_path, ("p1", image.name, mask.name)), tmp_path / "made.volumes.npz")
    assert (report.used, report.failed) == (1, {})


def bothwise(header, affine):
    header.set_qform(affine, 1)
    header.set_sform(affine, 1)
    return header


def test_a_volume_of_two_patients_is_nobodys(tmp_path):
    image, mask = write(tmp_path, "one", shape=SHAPE, affine=AFFINE, radius=20)
    rows = [(patient, image.name, mask.name) for patient in ("p1", "p2")]
    with pytest.raises(DataRefused) as refusal:
        prepare(listed(tmp_path, *rows), tmp_path / "made.volumes.npz")
    assert refusal.value.context["reasons"] == {"data.two-patients": 1}


def test_a_list_of_which_nothing_can_be_used_writes_nothing(tmp_path):
    image, mask = write(tmp_path, "one", shape=SHAPE, affine=AFFINE, radius=20)
    image.write_bytes(b"")
    with pytest.raises(DataRefused) as refusal:
        prepare(listed(tmp_path, ("p1", image.name, mask.name)), tmp_path / "made.volumes.npz")
    assert refusal.value.code == "data.empty" and not (tmp_path / "made.volumes.npz").exists()


def test_the_command_leaves_what_headers_say_behind_and_reports_it_here(tmp_path):
    image, mask = write(tmp_path, "one", shape=SHAPE, affine=AFFINE, radius=20)

    def described(voxels, affine, header):
        header["descrip"], header["db_name"] = b"Mrs Canary, ward 7", b"PACS"
        header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Mrs Canary"))
        return nibabel.Nifti1Image(voxels, affine, header)

    changed(image, described)
    target = tmp_path / "made.volumes.npz"
    index = listed(tmp_path, ("p1", image.name, mask.name), ("p2", "gone.nii.gz", "gone.nii.gz"))
    shown = CliRunner().invoke(app, ["volumes", str(index), str(target)])
    assert shown.exit_code == 0 and shown.stdout.startswith("1 images used, 1 failed")
    told = tmp_path / "made.volumes.report.json"
    report = json.loads(told.read_text())
    assert report["removed"] == {"db_name": 1, "descrip": 1, "extensions": 1}
    assert report["failed"] == {"gone.nii.gz": "data.missing-file"}
    assert told.stat().st_mode & 0o077 == 0 and "Canary" not in told.read_text()
    assert b"Canary" not in target.read_bytes()


def arrays(**changes):
    made = {
        "patients": np.array([f"p{place // 2}" for place in range(8)]),
        "volumes": np.full((8, 32, 32, 32), 100, np.uint8),
        "masks": np.ones((8, 32, 32, 32), np.uint8),
    }
    return made | changes


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"volumes": np.zeros((8, 32, 32, 32), np.int16)}, "data.bit-depth"),
        ({"volumes": np.zeros((8, 32, 32, 31), np.uint8)}, "data.shape"),
        ({"masks": np.zeros((7, 32, 32, 32), np.uint8)}, "data.shape"),
        ({"masks": np.full((8, 32, 32, 32), 2, np.uint8)}, "data.unknown-value"),
        ({"patients": np.array([" "] * 8)}, "data.empty-cell"),
        ({name: values[:0] for name, values in arrays().items()}, "data.empty"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, changes, code):
    path = tmp_path / "made.volumes.npz"
    np.savez_compressed(path, **arrays(**changes))
    with pytest.raises(DataRefused) as refusal:
        volumes.load(path)
    assert refusal.value.code == code and path.name in refusal.value.message


def test_a_patients_volumes_stay_together(tmp_path):
    path = tmp_path / "made.volumes.npz"
    np.savez_compressed(path, **arrays())
    records = volumes.load(path)
    assert records.most == 2 and len(records.of(["p1"])) == 2
    parts = split(records, 42)
    assert len(parts.held_out) == 2 and not set(parts.held_out) & set(parts.training)
