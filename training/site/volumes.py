"""CT volumes of 32 voxels a side with a drawn region: the hospital's file, and what becomes of it.

A file is NumPy's NPZ, named `*.volumes.npz`, with three arrays: `patients` (n,) text, `volumes` uint8 (n, 32, 32, 32),
`masks` uint8 of the same shape, 0 or 1. `covenant images volumes` makes one from NIfTI files. Spacing, window and cut
are fixed here, in the specification whose digest names the transformation; nothing is fitted to the data.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataRefused
from training.models.volume import FEATURES as NAME
from training.models.volume import LABEL, SIDE
from training.site.arrays import Array, arrays, grey, require_patients
from training.site.loader import Records, read_file
from training.site.specification import schema, transformation

COLUMNS = ("patients", "volumes", "masks")
COMMAND = "covenant images volumes"
LABELS = (0, 1)
SPACING = 4  # mm
WINDOW = (-160, 240)  # Hounsfield units: soft tissue

SPECIFICATION = {
    "name": NAME,
    "decode": "NIfTI-1 or NIfTI-2 with a qform or an sform, three dimensions, values after the header's scaling",
    "orientation": "RAS",
    "spacing": {"by": "monai.transforms.Spacing", "mm": [SPACING] * 3, "image": "bilinear", "mask": "nearest"},
    "window": {"from": list(WINDOW), "to": [0, 255]},
    "cut": {"by": "monai.transforms.ResizeWithPadOrCrop", "size": [SIDE] * 3, "outside": 0},
    "stored": "uint8",
    "scale": {"from": [0, 255], "to": [-1, 1]},
    "label": {"values": list(LABELS)},
}
TRANSFORMATION = transformation(NAME, SPECIFICATION)
SCHEMA = schema(COLUMNS)


def load(path: Path) -> Records:
    """Read and transform a hospital's NPZ, every record checked.

    Raises DataRefused `data.missing-file`, `data.too-large`, `data.empty`, `data.not-an-archive`, `data.missing-array`,
    `data.bit-depth`, `data.shape`, `data.unknown-value`, `data.empty-cell`.
    """
    data = read_file(path)
    (patients, volumes, masks), _ = arrays(path.name, data, COLUMNS, COMMAND)
    _check(path.name, patients, volumes, masks)
    return Records(
        tuple(str(patient) for patient in patients),
        grey(volumes),
        masks.astype(np.uint8),
        tuple(mask.tobytes() + volume.tobytes() for volume, mask in zip(volumes, masks, strict=True)),
        sha256(data).hexdigest(),
        TRANSFORMATION,
        strata=np.zeros(len(patients), dtype=np.int64),
    )


def write(path: Path, patients: list[str], volumes: NDArray[np.uint8], masks: NDArray[np.uint8]) -> None:
    """Write such a file. Raises DataRefused as `load`, before anything is written."""
    named = np.array(patients, dtype=np.str_)
    _check(path.name, named, volumes, masks)
    np.savez_compressed(path, patients=named, volumes=volumes, masks=masks)


def _check(file: str, patients: Array, volumes: Array, masks: Array) -> None:
    if not len(patients):
        raise DataRefused("data.empty", f"{file} holds no volume: export it again", file=file)
    if volumes.dtype != np.uint8 or masks.dtype != np.uint8:
        message = f"{file}: volumes and masks must be of 8 bits (uint8): make it with `{COMMAND}`"
        raise DataRefused("data.bit-depth", message, file=file)
    if patients.ndim != 1 or volumes.shape != (len(patients), *LABEL) or masks.shape != volumes.shape:
        message = f"{file}: volumes must have {SIDE} voxels a side, with one patient and one mask each"
        raise DataRefused("data.shape", message, file=file)
    require_patients(file, patients)
    if masks.max() > max(LABELS):
        raise DataRefused("data.unknown-value", f"{file}: a mask holds other labels than 0 and 1", file=file)
