"""Grey images of 28 x 28 with a yes-or-no label: the hospital's file, and what becomes of it.

A file is NumPy's NPZ with three arrays: `patients` (n,) text, `images` uint8 (n, 28, 28), `labels` uint8 (n,), 0 or 1.
`covenant images prepare` makes one from DICOM and PNG files. Everything done to an image is fixed here, in the
specification whose digest names the transformation; nothing is fitted to the data.

A fourth array `unit`, one word, says `image` where the source names no patients: then `patients` names each image once,
and what a study of the file protects is an image.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DataRefused
from training.models.chest import FEATURES as NAME
from training.privacy.mechanism import IMAGE, PATIENT, UNITS
from training.site.arrays import Array, arrays, grey, require_patients
from training.site.loader import Records, read_file
from training.site.specification import schema, transformation

SIDE = 28
COLUMNS = ("patients", "images", "labels")
UNIT = "unit"
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
    `data.bit-depth`, `data.shape`, `data.unknown-value`, `data.empty-cell`, `data.unit`.
    """
    data = read_file(path)
    (patients, images, labels), said = arrays(path.name, data, COLUMNS, COMMAND, (UNIT,))
    unit = str(said[UNIT]) if UNIT in said else PATIENT
    _check(path.name, patients, images, labels, unit)
    return Records(
        tuple(str(patient) for patient in patients),
        grey(images),
        labels.astype(np.int64),
        tuple(bytes([label]) + image.tobytes() for image, label in zip(images, labels, strict=True)),
        sha256(data).hexdigest(),
        TRANSFORMATION,
        unit=unit,
    )


def write(
    path: Path, patients: list[str], images: NDArray[np.uint8], labels: NDArray[np.uint8], unit: str = PATIENT
) -> None:
    """Write such a file. Raises DataRefused as `load`, before anything is written."""
    named = np.array(patients, dtype=np.str_)
    _check(path.name, named, images, labels, unit)
    said: dict[str, Any] = {} if unit == PATIENT else {UNIT: np.array(unit)}
    np.savez_compressed(path, patients=named, images=images, labels=labels, **said)


def _check(file: str, patients: Array, images: Array, labels: Array, unit: str) -> None:
    if unit not in UNITS:
        raise DataRefused("data.unit", f"{file}: its unit is none of {', '.join(UNITS)}", file=file)
    if not len(patients):
        raise DataRefused("data.empty", f"{file} holds no image: export it again", file=file)
    if images.dtype != np.uint8:
        message = f"{file}: images must be of 8 bits (uint8), not {images.dtype}: make it with `{COMMAND}`"
        raise DataRefused("data.bit-depth", message, file=file)
    if images.shape != (len(patients), SIDE, SIDE) or patients.ndim != 1 or labels.shape != patients.shape:
        message = f"{file}: images must be {SIDE} x {SIDE}, with one patient and one label each"
        raise DataRefused("data.shape", message, file=file)
    require_patients(file, patients)
    if unit == IMAGE and len(np.unique(patients)) != len(patients):
        raise DataRefused("data.unit", f"{file}: where an image is the unit, each has a name of its own", file=file)
    if labels.dtype.kind not in "ui" or not np.isin(labels, (0, POSITIVE)).all():
        raise DataRefused("data.unknown-value", f"{file}: a label is none of 0, {POSITIVE}", file=file)
