"""Grey images of 28 x 28 with a yes-or-no label: the hospital's file, and what becomes of it.

A file is NumPy's NPZ with three arrays: `patients` (n,) text, `images` uint8 (n, 28, 28), `labels` uint8 (n,), 0 or 1.
`covenant images prepare` makes one from DICOM and PNG files. Everything done to an image is fixed here, in the
specification whose digest names the transformation; nothing is fitted to the data.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataRefused
from training.models.chest import FEATURES as NAME
from training.site.arrays import arrays, grey, require_patients
from training.site.loader import Records, read_file
from training.site.specification import schema, transformation

SIDE = 28
COLUMNS = ("patients", "images", "labels")
COMMAND = "covenant images prepare"
POSITIVE = 1

SPECIFICATION = {
    "name": NAME,
    "decode": "grey; DICOM stored values 0..2^BitsStored-1, MONOCHROME1 inverted; PNG of 8 bits",
    "resize": {"by": "monai.transforms.Resize", "mode": "area", "size": [SIDE, SIDE]},
    "stored": "uint8",
    "scale": {"from": [0, 255], "to": [-1, 1]},
    "label": {"values": [0, 1], "positive": POSITIVE},
}
TRANSFORMATION = transformation(NAME, SPECIFICATION)
SCHEMA = schema(COLUMNS)


def load(path: Path) -> Records:
    """Read and transform a hospital's NPZ, every record checked.

    Raises DataRefused `data.missing-file`, `data.too-large`, `data.empty`, `data.not-an-archive`, `data.missing-array`,
    `data.bit-depth`, `data.shape`, `data.unknown-value`, `data.empty-cell`.
    """
    data = read_file(path)
    patients, images, labels = arrays(path.name, data, COLUMNS, COMMAND)
    _check(path.name, patients, images, labels)
    return Records(
        tuple(str(patient) for patient in patients),
        grey(images),
        labels.astype(np.int64),
        tuple(bytes([label]) + image.tobytes() for image, label in zip(images, labels, strict=True)),
        sha256(data).hexdigest(),
        TRANSFORMATION,
    )


def write(path: Path, patients: list[str], images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    """Write such a file. Raises DataRefused as `load`, before anything is written."""
    named = np.array(patients, dtype=np.str_)
    _check(path.name, named, images, labels)
    np.savez_compressed(path, patients=named, images=images, labels=labels)


def _check(file: str, patients: NDArray[np.generic], images: NDArray[np.generic], labels: NDArray[np.generic]) -> None:
    if not len(patients):
        raise DataRefused("data.empty", f"{file} holds no image: export it again", file=file)
    if images.dtype != np.uint8:
        message = f"{file}: images must be of 8 bits (uint8), not {images.dtype}: make it with `{COMMAND}`"
        raise DataRefused("data.bit-depth", message, file=file)
    if images.shape != (len(patients), SIDE, SIDE) or patients.ndim != 1 or labels.shape != patients.shape:
        message = f"{file}: images must be {SIDE} x {SIDE}, with one patient and one label each"
        raise DataRefused("data.shape", message, file=file)
    require_patients(file, patients)
    if labels.dtype.kind not in "ui" or not np.isin(labels, (0, POSITIVE)).all():
        raise DataRefused("data.unknown-value", f"{file}: a label is none of 0, {POSITIVE}", file=file)
