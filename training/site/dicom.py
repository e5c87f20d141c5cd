"""One DICOM file: its pixels, and nothing else of it; what it said beside them is counted, by name, and left behind.

The profile is a list of what is kept, not of what is taken away: only what an image cannot be read without. Names,
numbers, dates, free text and private tags go, whatever they are called (DICOM PS3.15 E.1.1 asks for the same of a list
of its own). Identifiers burnt into pixels cannot be seen in tags: a file that says it has some is refused.
"""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pydicom.config
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from training.errors import DataRefused

PROFILE = "covenant.dicom-pixels.v1"
KEPT = frozenset({
    "BitsAllocated", "BitsStored", "Columns", "HighBit", "PhotometricInterpretation", "PixelData",
    "PixelRepresentation", "Rows", "SamplesPerPixel",
})  # fmt: skip
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE  # its warnings repeat values: names, dates
AS_STORED = {"RescaleSlope": 1, "RescaleIntercept": 0}  # what these say where the pixels stand as they are stored
DAMAGE = (  # what pydicom raises about values that are none: they are read when they are asked for
    ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError,
    BytesLengthException, struct.error,
)  # fmt: skip


def read(path: Path, removed: Counter[str]) -> NDArray[np.float32]:
    """The image in `path`, float32 (rows, columns), 0 (black) to 1; the names of tags left behind go into `removed`.

    Raises DataRefused `data.empty`, `data.not-dicom`, `data.no-pixels`, `data.compressed` (no decoder is installed),
    `data.bit-depth`, `data.colour`, `data.rescaled`, `data.burnt-in`, `data.pixels`.
    """
    name = path.name
    if not path.stat().st_size:
        raise DataRefused("data.empty", f"{name} has 0 bytes: export it again", file=name)
    try:
        found = pydicom.dcmread(path)
        left = {label(element) for element in found if element.keyword not in KEPT}
        _check(name, found)
    except (InvalidDicomError, *DAMAGE):
        raise DataRefused("data.not-dicom", f"{name} is no whole DICOM file: export it again", file=name) from None
    try:
        pixels = found.pixel_array
    except (RuntimeError, ImportError):
        message = f"{name} is compressed in a way that no installed decoder reads: export it uncompressed"
        raise DataRefused("data.compressed", message, file=name) from None
    except DAMAGE:
        message = f"{name}: the pixels do not fit what the header says: export it again"
        raise DataRefused("data.pixels", message, file=name) from None
    removed.update(left)
    grey = np.clip(pixels.astype(np.float32) / (2**found.BitsStored - 1), 0.0, 1.0)
    image: NDArray[np.float32] = 1.0 - grey if found.PhotometricInterpretation == "MONOCHROME1" else grey
    return image


def label(element: pydicom.DataElement) -> str:
    """What the report calls a tag: its keyword of the standard; a private or unknown one by its number."""
    return element.keyword or f"({element.tag.group:04x},{element.tag.element:04x})"


def _check(name: str, found: Dataset) -> None:
    if "PixelData" not in found:
        raise DataRefused("data.no-pixels", f"{name} has no pixels: leave it out of the list", file=name)
    if "YES" in str(found.get("BurnedInAnnotation", "NO")).upper():
        message = f"{name} says that text is burnt into its pixels: mask it first, or leave it out"
        raise DataRefused("data.burnt-in", message, file=name)
    if (
        found.get("SamplesPerPixel") != 1
        or found.get("NumberOfFrames", 1) != 1
        or not str(found.get("PhotometricInterpretation")).startswith("MONOCHROME")
    ):
        raise DataRefused("data.colour", f"{name} is no single grey image: leave it out of the list", file=name)
    if "ModalityLUTSequence" in found or any(found.get(tag) not in (None, as_is) for tag, as_is in AS_STORED.items()):
        message = f"{name} says that its pixels are seen otherwise than stored (rescaled): export it as it is seen"
        raise DataRefused("data.rescaled", message, file=name)
    stored, allocated = found.get("BitsStored"), found.get("BitsAllocated")
    fits = allocated in {8, 16} and stored and 8 <= stored <= allocated and found.get("HighBit") == stored - 1
    if not fits or found.get("PixelRepresentation") != 0:
        message = f"{name}: the pixels must be of 8 to 16 bits without a sign: export it so"
        raise DataRefused("data.bit-depth", message, file=name)
